# SPDX-License-Identifier: Apache-2.0
# What the tests share.
"The error of `f()`, which must be of type `T` and hold all `words`."
function fails(f, T, words...)
    e = try
        f()
        nothing
    catch e
        e
    end
    e isa T || error("expected a $T, given $(e === nothing ? "no error" : sprint(showerror, e))")
    for w in words
        occursin(w, sprint(showerror, e)) || error("`$w` is not in: $(sprint(showerror, e))")
    end
    return true
end
live(kind = nothing) = (GC.gc(); GC.gc(); Flexor.Glue.flx_handle_live(kind))
