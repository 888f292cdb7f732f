# SPDX-License-Identifier: Apache-2.0
# The library itself: options, memory, random numbers, waiting.

"`config(name)` is an option of the library, `config(name, value)` sets it, `config()` is the table of all."
config() = Report(Glue.flx_config_list(), false)
config(name::AbstractString) = Glue.flx_config_get(name)
config(name::AbstractString, value) = Glue.flx_config_set(name, text(value))
"`info(field)`: version, path, compiler, blas, features, license or build of the library."
info(field = "version") = field == "version" ? Glue.flx_version() : Glue.flx_library_text(field)
"""
Bytes that arrays take on `device`: live, cached, peak, limit, total, and of other devices than the CPU fragmentation. `memory(limit = n)` sets a limit.
"""
function memory(; limit = nothing, device = "cpu")
    limit === nothing || Glue.flx_memory_limit_set(device, limit)
    stats = ("live", "cached", "peak", "limit", "total", (startswith(device, "cpu") ? () : ("fragmentation",))...)
    return NamedTuple{Symbol.(stats)}(Tuple(Glue.flx_memory_stat(device, s) for s in stats))
end
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
