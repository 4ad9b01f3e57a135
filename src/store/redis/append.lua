-- KEYS[1] is the blob. ARGV: number, chunk, seconds it may wait for the next.
if redis.call('HEXISTS', KEYS[1], 'pending') == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
