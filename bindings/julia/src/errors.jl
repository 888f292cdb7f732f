# SPDX-License-Identifier: Apache-2.0
# A Julia exception for each status of the library.

"""
What the library reports; each status has a type of its own below it, such as `ShapeError`. All have `message`, `kind`, `operator`, `node`, `origin`, `hint`, `file` and `offset` (texts, empty
where there is nothing to say).
"""
abstract type FlexorError <: Exception end
const error_types = Dict{Int,Any}()
for (status, name) in [(Glue.FLX_ERROR, :GenericError), (Glue.FLX_ERROR_ARGUMENT, :InvalidArgumentError), (Glue.FLX_ERROR_TYPE, :DTypeError), (Glue.FLX_ERROR_SHAPE, :ShapeError),
                       (Glue.FLX_ERROR_INDEX, :OutOfRangeError), (Glue.FLX_ERROR_NAME, :UnknownNameError), (Glue.FLX_ERROR_HANDLE, :HandleError),
                       (Glue.FLX_ERROR_UNSUPPORTED, :UnsupportedError), (Glue.FLX_ERROR_MEMORY, :MemoryLimitError), (Glue.FLX_ERROR_FILE, :FileError),
                       (Glue.FLX_ERROR_FORMAT, :FormatError), (Glue.FLX_ERROR_DEVICE, :DeviceError), (Glue.FLX_ERROR_NETWORK, :NetworkError), (Glue.FLX_ERROR_HOST, :HostError),
                       (Glue.FLX_ERROR_STATE, :StateError), (Glue.FLX_ERROR_INTERNAL, :InternalError), (Glue.FLX_ERROR_ROLLED_BACK, :RolledBackError)]
    @eval begin
        @doc $("`$name`: a `FlexorError` of the library's status $status.")
        struct $name <: FlexorError
            message::String
            kind::String
            operator::String
            node::String
            origin::String
            hint::String
            file::String
            offset::String
        end
        $name(message::AbstractString) = $name(message, "", "", "", "", "", "", "")
        error_types[$status] = $name
    end
end

# The exception of this thread's last failed call. A status of a newer library is a GenericError.
function make_error(status, kind, message)
    about = map(field -> Glue.flx_last_error_field(field), ("operator", "node", "origin", "hint", "file", "offset"))
    return get(error_types, status, GenericError)(message, kind, about...)
end
Base.showerror(io::IO, e::FlexorError) = print(io, nameof(typeof(e)), ": ", e.message)
