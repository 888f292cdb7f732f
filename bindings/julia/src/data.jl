# SPDX-License-Identifier: Apache-2.0
# Batches for a loop, splits, and two small data sets.

"What `batches` gives."
struct Batches
    make::Function
    count::Int
end
"""
    batches(x, y...; size = 32, shuffle = false, seed = 0, last = "keep")

Goes over the arrays' first axes in batches, each a tuple of arrays (of one, if there is one array). `last` says what becomes of samples that do not fill a batch: keep (a smaller batch), drop or
pad. An iterator of `Flexor.Iterators` may stand for the arrays."""
function batches(x, y...; size = 32, shuffle = false, seed = 0, last = "keep")
    arrays = [as_array(a) for a in (x, y...)]
    rows = [Base.size(a, 1) for a in arrays]
    all(==(rows[1]), rows) || throw(ShapeError("[batches] the first axis counts the samples and must agree, given $(join(rows, ", "))"))
    names = [i == 1 ? "data" : i == 2 ? "label" : "label$(i - 1)" for i in 1:length(arrays)]
    options = given((batch_size = size, shuffle = shuffle, seed = seed, last = last))
    Batches(() -> Glue.flx_iter_from_arrays(arrays, names, options), last == "drop" ? rows[1] ÷ size : cld(rows[1], size))
end
batches(s::Setting{:iter}) = Batches(() -> core(s), -1)
Base.IteratorSize(::Type{Batches}) = Base.SizeUnknown()
Base.length(b::Batches) = b.count >= 0 ? b.count : count(_ -> true, b)
Base.show(io::IO, b::Batches) = print(io, "Batches", b.count >= 0 ? " of $(b.count)" : "")
function Base.iterate(b::Batches, source = b.make())
    Glue.flx_iter_next(source, -1) == Glue.FLX_BATCH || return nothing
    return Tuple(map(wrap, Glue.flx_iter_arrays(source))), source
end
"""
    splitobs(n, share; seed = nothing) -> first, second

Two vectors of the numbers 1 to `n` in random order, the first with `share` of them."""
function splitobs(n::Integer, share::Real; seed = nothing)
    0 < share < 1 || throw(InvalidArgumentError("[splitobs] a share between 0 and 1 was expected, given $share"))
    order = seed === nothing ? Random.randperm(n) : Random.randperm(Random.MersenneTwister(seed), n)
    cut = round(Int, n * share)
    return order[1:cut], order[cut+1:end]
end
data_file(name) = joinpath(@__DIR__, "..", "data", name)
"""
    iris() -> x, y

Fisher's iris flowers: 150 × 4 measures in cm, and the names of three species."""
function iris()
    rows = [split(line, ',') for line in eachline(data_file("iris.csv")) if !isempty(line) && !startswith(line, '#')]
    return Float32[parse(Float32, r[k]) for r in rows, k in 1:4], String[r[5] for r in rows]
end
"""
    digits() -> x, y

10,000 scans of handwritten digits, a part of MNIST: 10000 × 1 × 28 × 28 numbers in [0, 1), 0 being paper, and the digits 0 to 9. The first 8,000 are meant for training."""
function digits()
    labels = read(data_file("digits.labels"))
    bytes = reshape(read(data_file("digits.images")), 28, 28, 1, :)
    return permutedims(Float32.(bytes) .* Float32(1 / 256), (4, 3, 2, 1)), Int.(labels)
end
