# SPDX-License-Identifier: Apache-2.0
# The library itself: options, memory, random numbers, waiting.

"`config(name)` is an option of the library, `config(name, value)` sets it, `config()` is the table of all."
config() = Report(Glue.flx_config_list(), false)
config(name::AbstractString) = Glue.flx_config_get(name)
config(name::AbstractString, value) = Glue.flx_config_set(name, text(value))
"`info(field)`: version, path, compiler, blas, features, license or build of the library."
info(field = "version") = field == "version" ? Glue.flx_version() : Glue.flx_library_text(field)
"""
Bytes that arrays take on `device`: live, cached, peak, limit, total, and of other devices than the CPU fragmentation. `memory(limit = n)` sets a limit, `reset_peak = true` begins the
peak anew at what is live, and `release_unused = true` gives memory that is kept for later arrays back to the system.
"""
function memory(; limit = nothing, device = "cpu", reset_peak = false, release_unused = false)
    limit === nothing || Glue.flx_memory_limit_set(device, limit)
    reset_peak && Glue.flx_memory_peak_reset(device)
    release_unused && Glue.flx_memory_release_unused(device)
    stats = ("live", "cached", "peak", "limit", "total", (startswith(device, "cpu") ? () : ("fragmentation",))...)
    return NamedTuple{Symbol.(stats)}(Tuple(Glue.flx_memory_stat(device, s) for s in stats))
end
"How many devices of `kind`, \"cpu\" or \"gpu\", there are."
device_count(kind = "gpu") = Int(Glue.flx_device_count(kind))
"What `device` is: its name, its memory in bytes, and what else its kind tells."
function device_properties(device = "cpu")
    lines = [split(line, ' '; limit = 2) for line in split(Glue.flx_device_properties(device), '\n'; keepempty = false)]
    return NamedTuple{Tuple(Symbol(l[1]) for l in lines)}(Tuple(something(tryparse(Int, l[end]), String(l[end])) for l in lines))
end
"Waits until all that was issued to `device` so far is done. What failed is told by the arrays, and by `wait_all`."
synchronize(device = "cpu") = (Glue.flx_device_synchronize(device, -1); nothing)
"Seeds the library's random numbers; the same seed gives the same numbers in every language."
seed!(seed::Integer) = Glue.flx_random_seed(seed, nothing)
"Waits for all that was asked of the library."
wait_all() = (Glue.flx_wait_all(-1); nothing)
"`profile(f)` runs `f()` and gives a table of the operators it ran; `file` keeps a trace that Perfetto opens."
function profile(f; file = nothing, options...)
    Glue.flx_profiler_start(given(options))
    try
        f()
        wait_all()
    finally
        Glue.flx_profiler_stop()
    end
    file === nothing || Glue.flx_profiler_save(file)
    return Report(Glue.flx_profiler_summary(nothing, 100), false)
end
