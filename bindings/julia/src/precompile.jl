# SPDX-License-Identifier: Apache-2.0
# What a program needs for its first array is inferred when the package is precompiled. Few things: each also costs time when the package is loaded.

precompile(Tuple{typeof(__init__)})
precompile(Tuple{typeof(Glue.flx_call_create), String, Vector{Pair{String,String}}})
for N in (1, 2)
    a = NDArray{Float32,N}
    precompile(Tuple{Type{NDArray}, Array{Float32,N}})
    precompile(Tuple{Type{Array}, a})
    precompile(Tuple{typeof(scalar_op), String, a, Int})
    precompile(Tuple{typeof(with_scalar), Function, Int, a, Int})
    for args in (Tuple{a,Int}, Tuple{a,a})
        precompile(Tuple{typeof(Base.Broadcast.materialize), Base.Broadcast.Broadcasted{ArrayStyle,Nothing,typeof(+),args}})
    end
end
