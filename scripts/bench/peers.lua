-- Requests for wrk (https://github.com/wg/wrk), for peers.py: the lines of a file, one after the other.
--     wrk ... -s peers.lua URL -- PATH FILE

local lines, path, at = {}, nil, 0

function init(args)
    path = args[1]
    for line in io.lines(args[2]) do
        lines[#lines + 1] = line
    end
    -- Threads begin at other places, so that they do not ask the same at the same time.
    at = tonumber(tostring({}):match("0x(%x+)"), 16) % #lines
end

function request()
    at = at % #lines + 1
    return wrk.format("POST", path, { ["content-type"] = "application/json" }, lines[at])
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('{"rate":%.3f,"p50":%.3f,"p99":%.3f,"failed":%d}\n',
        summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
