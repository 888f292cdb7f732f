# SPDX-License-Identifier: Apache-2.0
# The shared tables read from Julia: cases(path) is a list of cases, a case a list of (word, fields). tests/golden/README.md has the form.
function plain_text(s)
    out, escaped = IOBuffer(), false
    for c in s
        if escaped
            print(out, c == 't' ? '\t' : c == 'n' ? '\n' : c)
            escaped = false
        elseif c == '\\'
            escaped = true
        else
            print(out, c)
        end
    end
    return String(take!(out))
end
function read_line(row)
    parts = split(row, '\t')
    fields = Dict{String,String}()
    order = String[]
    for p in parts[2:end]
        k, v = split(p, '='; limit = 2)
        fields[k] = plain_text(v)
        push!(order, k)
    end
    return (word = String(parts[1]), fields = fields, order = order)
end
function cases(path)
    out, now = Vector{Any}[], Any[]
    for row in eachline(path)
        startswith(row, '#') && continue
        if isempty(row)
            isempty(now) || push!(out, now)
            now = Any[]
        else
            push!(now, read_line(row))
        end
    end
    isempty(now) || push!(out, now)
    return out
end
lines_of(case, word) = [l.fields for l in case if l.word == word]
first_of(case, word) = (found = lines_of(case, word); isempty(found) ? Dict{String,String}() : found[1])
case_id(case) = case[1].fields["id"]
shape_of(text) = text == "-" ? () : Tuple(parse.(Int, split(text, ',')))
numbers(text) = isempty(text) ? Float64[] : [parse(Float64, v) for v in split(text, ',')]
# `{any}` in `want` stands for anything, once at most.
function fits(text, want)
    at = findfirst("{any}", want)
    at === nothing && return text == want
    head, tail = want[1:prevind(want, first(at))], want[nextind(want, last(at)):end]
    return startswith(text, head) && endswith(text, tail) && sizeof(text) >= sizeof(head) + sizeof(tail)
end
