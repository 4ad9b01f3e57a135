-- KEYS[1] is the sessions, ARGV the id.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record then redis.call('HDEL', KEYS[1], ARGV[1]) end
return record
