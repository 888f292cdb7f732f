# SPDX-License-Identifier: Apache-2.0
# Work that this task drives. Functions of Julia's that the library asks for (metrics, sources of batches) run here, on the task that asked.

const hosts = Dict{Int64,Any}()
const last_token = Ref{Int64}(0)
"Registers f(what, arrays), which gives arrays or nothings; `what` is forward, backward, batch, first batch (of an epoch) or metric."
function host_function(f)
    forget_hosts()
    alone() do
        hosts[last_token[] += 1] = f
        last_token[]
    end
end
forget_hosts() = alone() do
    while (token = Glue.flx_token_next()) >= 0
        delete!(hosts, token)
    end
end
function answer_host(task)
    token, what = Glue.flx_task_token(task), host_text(task, "host", "backward")
    f = alone(() -> get(hosts, token, nothing))
    f === nothing && throw(StateError("[flexor] a function of another Julia process was asked for: it does not outlive its process"))
    what == "batch" && Glue.flx_task_number(task, "first") == 1 && (what = "first batch")
    arrays = map(wrap, Glue.flx_task_arrays(task))
    Glue.flx_task_reply(task, with_mode(() -> f(what, arrays), 0))
end
function host_text(task, field, otherwise)
    try
        return Glue.flx_task_text(task, field)
    catch e
        e isa UnknownNameError || rethrow()
        return otherwise
    end
end
# Drives `task` to its end; `on_event(event)` hears of batches and epochs. However this is left (an exception, Ctrl-C), the task has come to its end.
function run_task(task, on_event = event -> nothing)
    done = asked = false
    try
        while true
            event = Glue.flx_task_next(task, -1)
            event == Glue.FLX_DONE && break
            event == Glue.FLX_HOST ? (asked = true; answer_host(task); asked = false) : on_event(event)
        end
        done = true
    finally
        done || end_task(task, asked)
    end
    return task
end
function end_task(task, asked)
    Glue.flx_task_stop(task)
    try
        asked && Glue.flx_task_fail(task, "a function of Julia's failed")
        while Glue.flx_task_next(task, -1) != Glue.FLX_DONE end
    catch e
        e isa FlexorError || rethrow()
    end
end
