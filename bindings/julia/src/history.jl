# SPDX-License-Identifier: Apache-2.0
# What a fit measured, epoch by epoch; its plot in characters and as SVG.

"A fit's measures: `history.loss`, `history[\"valid.accuracy\"]`, `keys(history)`; a row for each epoch."
struct History
    columns::Vector{String}
    values::Matrix{Float64}
end
function history_of(task)
    n = Glue.flx_task_column_count(task)
    names = [Glue.flx_task_column_name(task, i) for i in 0:n-1]
    values = wrap(Glue.flx_task_history(task))
    return History(names, isempty(values) ? zeros(0, n) : Array(values))
end
# A fit that goes on: its rows behind those of before, epochs counted on; columns that one of them lacks are left out.
function join_history(before, now::History)
    before === nothing && return now
    shared = filter(in(keys(before)), keys(now))
    a, b = hcat((before[k] for k in shared)...), hcat((now[k] for k in shared)...)
    at = findfirst(==("epoch"), shared)
    at === nothing || (b[:, at] .+= length(before))
    return History(shared, vcat(a, b))
end
Base.keys(h::History) = getfield(h, :columns)
Base.length(h::History) = size(getfield(h, :values), 1)
function Base.getindex(h::History, name::AbstractString)
    k = findfirst(==(name), keys(h))
    k === nothing && throw(UnknownNameError("[history] no column is named `$name`; there are $(join(keys(h), ", "))"))
    return getfield(h, :values)[:, k]
end
Base.getproperty(h::History, name::Symbol) = name === :valid ? Prefixed(h, "valid.") : h[String(name)]
Base.propertynames(h::History) = Tuple(Symbol.(keys(h)))
struct Prefixed
    history::History
    prefix::String
end
Base.getproperty(p::Prefixed, name::Symbol) = getfield(p, :history)[getfield(p, :prefix)*String(name)]
number_text(x) = isnan(x) ? "-" : x == round(x) && abs(x) < 1e6 ? string(Int(x)) : string(round(x, sigdigits = 4))
function Base.show(io::IO, ::MIME"text/plain", h::History)
    rows = [collect(keys(h)), [[number_text(v) for v in r] for r in eachrow(getfield(h, :values))]...]
    widths = [maximum(length(r[k]) for r in rows) for k in 1:length(keys(h))]
    print(io, join((join(lpad.(r, widths), "  ") for r in rows), "\n"))
end
Base.show(io::IO, h::History) = print(io, "History of ", length(h), " epochs: ", join(keys(h), ", "))

"A curve for each column, as characters or SVG."
struct Plot
    series::Vector{Pair{String,Vector{Float64}}}
end
"""
    plot(history, columns...)

The learning curve: a plot of characters in a terminal, SVG in a notebook; `write("curve.svg", plot(history))` keeps it. Without `columns` it shows the losses, or what there is."""
function plot(h::History, columns::AbstractString...)
    chosen = isempty(columns) ? filter(k -> endswith(k, "loss"), keys(h)) : columns
    return Plot([String(k) => h[k] for k in chosen])
end
const marks = "●○▲△■□"
function extent(p::Plot)
    all_values = [v for (_, values) in p.series for v in values if isfinite(v)]
    isempty(all_values) && return 0.0, 1.0
    low, high = extrema(all_values)
    return low == high ? (low - 0.5, high + 0.5) : (low, high)
end
function Base.show(io::IO, ::MIME"text/plain", p::Plot)
    low, high = extent(p)
    n, width, height = maximum(map(s -> length(s.second), p.series)), 60, 12
    cells = fill(' ', height, width)
    for (s, (_, values)) in enumerate(p.series), (i, v) in enumerate(values)
        isfinite(v) || continue
        column = n <= 1 ? 1 : 1 + round(Int, (i - 1) / (n - 1) * (width - 1))
        cells[height-round(Int, (v - low) / (high - low) * (height - 1)), column] = collect(marks)[mod1(s, length(marks))]
    end
    for r in 1:height
        label = r == 1 ? number_text(high) : r == height ? number_text(low) : ""
        println(io, lpad(label, 9), " ┤", rstrip(String(cells[r, :])))
    end
    println(io, " "^10, "└", "─"^width)
    println(io, " "^11, "1", lpad(string(n), width - 1), "  epoch")
    print(io, " "^11, join(("$(collect(marks)[mod1(s, length(marks))]) $name" for (s, (name, _)) in enumerate(p.series)), "   "))
end
Base.show(io::IO, p::Plot) = show(io, MIME"text/plain"(), p)
const colours = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"]
escaped(s) = replace(replace(replace(s, "&" => "&amp;"), "<" => "&lt;"), "\"" => "&quot;")
function Base.show(io::IO, ::MIME"image/svg+xml", p::Plot)
    low, high = extent(p)
    n = maximum(map(s -> length(s.second), p.series))
    x(i) = round(60 + (n <= 1 ? 0 : (i - 1) / (n - 1)) * 500, digits = 1)
    y(v) = round(270 - (v - low) / (high - low) * 240, digits = 1)
    print(io, """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 320" font-family="sans-serif" font-size="12"><rect width="600" height="320" fill="white"/>""",
          """<path d="M60 30V270H560" fill="none" stroke="black"/><text x="55" y="34" text-anchor="end">$(number_text(high))</text><text x="55" y="274" text-anchor="end">$(number_text(low))</text>""",
          """<text x="60" y="288">1</text><text x="560" y="288" text-anchor="end">epoch $n</text>""")
    for (s, (name, values)) in enumerate(p.series)
        colour = colours[mod1(s, length(colours))]
        points = join(("$(x(i)),$(y(v))" for (i, v) in enumerate(values) if isfinite(v)), " ")
        print(io, """<polyline points="$points" fill="none" stroke="$colour" stroke-width="2"/><text x="$(60 + 130 * (s - 1))" y="310" fill="$colour">$(escaped(name))</text>""")
    end
    print(io, "</svg>")
end
Base.write(path::AbstractString, p::Plot) = write(path, sprint(show, MIME"image/svg+xml"(), p))
