-- Admits a session of a tenant. KEYS: state, ids of its sessions by the end of their lease, its theoretical arrival time
-- (GCRA). ARGV: gap, settling time, lease, all in ms; id; most sessions; most starts per minute; -1 is no limit.
-- Returns {0}; {1} too many sessions; {2, ms} too many starts; {3, ms} Redis was away and others have not renewed yet.
local settle, lease, id = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local most, starts = tonumber(ARGV[5]), tonumber(ARGV[6])
if now - since < settle then
  return {3, settle - (now - since)}
end
if most >= 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= most then
    return {1}
  end
end
if starts == 0 then
  return {2, 60000}
end
if starts > 0 then
  local every = 60000 / starts
  -- Before `since`, as many as allowed may have started.
  local arrival = math.max(tonumber(redis.call('GET', KEYS[3]) or since + 60000), now) + every
  local wait = arrival - 60000 - now
  if wait > 0.001 then
    return {2, math.ceil(wait)}
  end
  redis.call('SET', KEYS[3], string.format('%.3f', arrival), 'PX', 120000)
end
if most >= 0 then
  redis.call('ZADD', KEYS[2], now + lease, id)
  redis.call('PEXPIRE', KEYS[2], lease * 2)
end
return {0}
