-- Requests for wrk (https://github.com/wg/wrk), for serve.py:
--     wrk ... -s serve.lua URL -- MODE START RATE FILE
-- MODE: `fresh` asks with words that nobody used before, numbered from START; `same` asks one thing again and again;
-- `file` asks with the lines of FILE, each once, from line START. RATE: requests a second of all threads together,
-- 0 for as many as are answered. The last line that it prints is JSON.

local ffi = require("ffi")
ffi.cdef [[
typedef struct { long sec; long nsec; } tuwen_timespec;
int clock_gettime(int clock, tuwen_timespec *now);
]]

-- Their numbers have no common factor with the stride, so that numbers and sentences are one to one.
local STRIDE = 1000003
local ENGLISH = {
    { "a red", "a small", "an old", "a wet", "a white", "a quiet", "a striped", "a blue", "one huge", "a green", "a tired", "a shiny" },
    { "dog", "cat", "bus", "horse", "boat", "child", "train", "bird", "bicycle", "lamp", "guitar", "cake", "tower", "cow", "kite", "bridge" },
    { "running", "standing", "lying", "waiting", "seen from above", "turning", "half hidden", "jumping", "in motion", "falling" },
    { "on grass", "in the snow", "by the sea", "under a tree", "in a kitchen", "at night", "on a street", "behind a fence", "near a lake", "in a field", "on a roof", "in the rain" },
    { "", "with two people", "and a yellow ball", "in the morning", "beside a car", "with flowers", "in front of a wall", "and its shadow" },
    { "", "in black and white", "close up", "far away", "out of focus", "from the left", "in bright light", "in fog" },
}
local CHINESE = {
    { "红色的", "小小的", "古老的", "湿漉漉的", "白色的", "安静的", "条纹的", "蓝色的", "巨大的", "绿色的", "疲惫的", "发亮的" },
    { "狗", "猫", "公交车", "马", "小船", "孩子", "火车", "鸟", "自行车", "台灯", "吉他", "蛋糕", "塔", "奶牛", "风筝", "桥" },
    { "奔跑", "站着", "躺着", "等待", "从上面看", "转弯", "半藏着", "跳跃", "移动", "落下" },
    { "在草地上", "在雪地里", "在海边", "在树下", "在厨房里", "在夜里", "在街上", "在栅栏后面", "在湖边", "在田野里", "在屋顶上", "在雨中" },
    { "", "有两个人", "和一个黄色的球", "在早晨", "在汽车旁", "有鲜花", "在墙前面", "和影子" },
    { "", "黑白的", "特写", "在远处", "模糊的", "从左边看", "光线明亮", "在雾里" },
}
local ALL = 2 * 12 * 16 * 10 * 12 * 8 * 8

local function sentence(number)
    local at = (number * STRIDE) % ALL
    local language = at % 2
    at = math.floor(at / 2)
    local words = {}
    for index, list in ipairs(language == 0 and ENGLISH or CHINESE) do
        words[index] = list[at % #list + 1]
        at = math.floor(at / #list)
    end
    if language == 0 then
        return table.concat(words, " ")
    end
    return words[4] .. words[3] .. "的" .. words[1] .. words[2] .. words[5] .. words[6]
end

local threads = {}

function setup(thread)
    thread:set("place", #threads)
    table.insert(threads, thread)
end

local clock = ffi.new("tuwen_timespec")
local function now_ms()
    ffi.C.clock_gettime(1, clock)
    return tonumber(clock.sec) * 1000 + tonumber(clock.nsec) / 1e6
end

local mode, number, step, lines

function init(args)
    mode, step = args[1], tonumber(args[5])
    number = tonumber(args[2]) + place
    local rate = tonumber(args[3])
    answered, refused, failed, used, worst = 0, 0, 0, 0, ""
    if mode == "file" then
        lines = {}
        for line in io.lines(args[4]) do
            lines[#lines + 1] = line
        end
    end
    if rate > 0 then
        local interval, slot = 1000 * step / rate, now_ms()
        function delay()
            -- What could not be asked because all connections waited is not made up for later.
            local now = now_ms()
            slot = math.max(slot + interval, now - 100)
            return math.max(0, math.floor(slot - now))
        end
        function response(status, _, body)
            if status == 200 then
                answered = answered + 1
            elseif status == 429 then
                refused = refused + 1
            else
                failed = failed + 1
                worst = status .. " " .. body:sub(1, 300)
            end
        end
    end
end

local HEADERS = { ["content-type"] = "application/json" }

function request()
    local body
    if mode == "fresh" then
        body = '{"query":"' .. sentence(number) .. '","k":20}'
    elseif mode == "same" then
        body = '{"query":"a dog running on the grass","k":20}'
    else
        body = lines[number % #lines + 1]
    end
    number = number + step
    used = used + 1
    return wrk.format("POST", "/v1/search", HEADERS, body)
end

function done(summary, latency)
    local sum = { answered = 0, refused = 0, failed = 0, used = 0 }
    local worst = ""
    for _, thread in ipairs(threads) do
        for name in pairs(sum) do
            sum[name] = sum[name] + thread:get(name)
        end
        worst = thread:get("worst") ~= "" and thread:get("worst") or worst
    end
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.3f,"p50":%.3f,"p90":%.3f,"p99":%.3f,"most":%.3f,"status":%d,"socket":%d,' ..
        '"timeout":%d,"answered":%d,"refused":%d,"failed":%d,"used":%d,"worst":"%s"}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
        latency:percentile(99) / 1e3, latency.max / 1e3, errors.status, errors.connect + errors.read + errors.write,
        errors.timeout, sum.answered, sum.refused, sum.failed, sum.used, worst:gsub('[%c"\\]', " ")))
end
