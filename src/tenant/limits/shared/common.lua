-- Common to the scripts. KEYS[1] is the state; ARGV[1] is a number of milliseconds.
--
-- Redis may have been away, may have lost data, or may be another server than before: then sessions that run are not
-- counted. That is so when nobody has asked for longer than `gap`, when there is no state, or when it was written by
-- another run of the server. From that moment on nothing is given away for a while, until every process has renewed what
-- it holds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gap = tonumber(ARGV[1])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local state = redis.call('HMGET', KEYS[1], 'since', 'seen', 'run')
local since, seen = tonumber(state[1]), tonumber(state[2])
if not since or not seen or state[3] ~= run or now - seen > gap or seen > now + gap then
  since = now
end
redis.call('HSET', KEYS[1], 'since', since, 'seen', now, 'run', run)
