# SPDX-License-Identifier: Apache-2.0
# As much JSON as model files and MXNet's graphs have.

json_text(s::AbstractString) = string('"', sprint(io -> foreach(c -> c == '"' || c == '\\' ? print(io, '\\', c) : c < ' ' ? print(io, "\\u", string(UInt32(c), base = 16, pad = 4)) : print(io, c), s)), '"')
json_list(items) = string('[', join(map(json_text, items), ", "), ']')
json_number(x) = x isa Float64 && isinteger(x) && abs(x) < 2.0^53 ? string(Int(x)) : string(x)

# Texts, numbers (Float64), Bool, nothing, vectors, dictionaries.
function read_json(text::AbstractString)
    chars = collect(text)
    value, at = json_value(chars, json_skip(chars, 1))
    json_skip(chars, at) > length(chars) || json_wrong(at)
    return value
end
json_wrong(at) = throw(FormatError("[json] the text is no JSON document, at character $at"))
json_at(c, i) = i <= length(c) ? c[i] : json_wrong(i)
function json_skip(c, i)
    while i <= length(c) && isspace(c[i])
        i += 1
    end
    return i
end
function json_value(c, i)
    first = json_at(c, i)
    first == '"' && return json_string(c, i)
    first == '[' && return json_items(c, i, ']', (c, i) -> json_value(c, i), Any[])
    first == '{' && return json_items(c, i, '}', json_member, Dict{String,Any}())
    j = i
    while j <= length(c) && !(c[j] in ",]}") && !isspace(c[j])
        j += 1
    end
    word = String(c[i:j-1])
    word == "true" && return true, j
    word == "false" && return false, j
    word == "null" && return nothing, j
    number = tryparse(Float64, word)
    number === nothing && json_wrong(i)
    return number, j
end
function json_member(c, i)
    name, i = json_string(c, i)
    i = json_skip(c, i)
    json_at(c, i) == ':' || json_wrong(i)
    value, i = json_value(c, json_skip(c, i + 1))
    return (name => value), i
end
function json_items(c, i, stop, item, out)
    i = json_skip(c, i + 1)
    json_at(c, i) == stop && return out, i + 1
    while true
        value, i = item(c, i)
        push!(out, value)
        i = json_skip(c, i)
        json_at(c, i) == stop && return out, i + 1
        c[i] == ',' || json_wrong(i)
        i = json_skip(c, i + 1)
    end
end
function json_string(c, i)
    json_at(c, i) == '"' || json_wrong(i)
    word = IOBuffer()
    while (i += 1; json_at(c, i) != '"')
        if c[i] == '\\'
            i += 1
            e = json_at(c, i)
            if e == 'u'
                code = json_hex(c, i)
                i += 4
                if 0xd800 <= code < 0xdc00  # the first half of a character beyond 0xffff
                    code = 0x10000 + ((code - 0xd800) << 10) + (json_hex(c, i + 2) - 0xdc00)
                    i += 6
                end
                print(word, Char(code))
            else
                print(word, e == 'n' ? '\n' : e == 't' ? '\t' : e == 'r' ? '\r' : e == 'b' ? '\b' : e == 'f' ? '\f' : e)
            end
        else
            print(word, c[i])
        end
    end
    return String(take!(word)), i + 1
end
function json_hex(c, i)
    i + 4 <= length(c) || json_wrong(i)
    code = tryparse(UInt32, String(c[i+1:i+4]); base = 16)
    return code === nothing ? json_wrong(i) : code
end
