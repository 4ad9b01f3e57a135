-- Says that a process is alive. KEYS: state, processes by the end of their lease. ARGV: gap, lease, settling time, the
-- process. Returns the number of processes, or 0 while not all may have said so.
local lease = tonumber(ARGV[2])
redis.call('ZADD', KEYS[2], now + lease, ARGV[4])
redis.call('PEXPIRE', KEYS[2], lease * 2)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if now - since < tonumber(ARGV[3]) then
  return 0
end
return redis.call('ZCARD', KEYS[2])
