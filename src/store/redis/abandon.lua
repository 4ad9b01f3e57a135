-- KEYS[1] is the blob.
if redis.call('HEXISTS', KEYS[1], 'pending') == 1 then redis.call('UNLINK', KEYS[1]) end
