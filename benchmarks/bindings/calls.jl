# SPDX-License-Identifier: Apache-2.0
# What a call costs from Julia, beside Julia's own arrays in the same run. calls.jl --full|--quick FILTER; prints a line of JSON for a figure, as the peers' scripts do.
using Flexor
const quick = get(ARGS, 1, "--full") == "--quick"
const filter_ = Regex(get(ARGS, 2, ""))

function seconds(call)
    call()
    count = 1
    while true
        took = @elapsed times(call, count)
        took >= (quick ? 0.02 : 0.2) && break
        count = max(count + 1, min(10count, ceil(Int, count * 0.25 / max(took, 1e-9))))
    end
    found = map(1:(quick ? 1 : 5)) do _
        GC.gc()
        (@elapsed times(call, count)) / count
    end
    return sort(found)[cld(end, 2)]
end
function times(call, count)
    for _ in 1:count
        call()
    end
    Flexor.wait_all()
end
function measure(call, row, peer = "flexor")
    occursin(filter_, "$row/$peer") || return
    println("{\"row\": \"$row\", \"peer\": \"$peer\", \"value\": $(seconds(call)), \"unit\": \"s\"}")
end
function chain(x, one)
    for _ in 1:5
        x = (x .+ one) .* one
    end
    return x
end

function calls()
    a, b, u, v = NDArray(ones(Float32, 1)), NDArray(ones(Float32, 1)), ones(Float32, 1), ones(Float32, 1)
    measure(() -> a + b, "Julia/add of one element")
    measure(() -> u + v, "Julia/add of one element", "Julia")
    measure(() -> a .+ 2, "Julia/add of a number")
    measure(() -> u .+ 2, "Julia/add of a number", "Julia")
    measure(() -> wait(gradient(x -> sum(chain(x, b)), a)), "Julia/ten small operators forward and backward")
    measure(() -> Array(NDArray(u)), "Julia/array from Julia and back, one element")
    x, y = NDArray(rand(Float32, 1_000_000)), NDArray(rand(Float32, 1_000_000))
    p, q = Array(x), Array(y)
    dotted(x, y) = (x .* 2 .+ y) .* (1 .- x) .+ max.(x .- y, 0)
    row = "Julia/seven functions of a million numbers in one expression"
    measure(() -> wait(dotted(x, y)), row)
    Flexor.fuse_from[] = typemax(Int)
    measure(() -> wait(dotted(x, y)), row, "flexor, operator by operator")
    measure(() -> dotted(p, q), row, "Julia")
end
calls()
