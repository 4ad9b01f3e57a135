-- Common to the scripts. KEYS[1] has the text, ARGV[1] is the largest length that is read.
--
-- `stamp` is the mark of the present text, and `text` the text, if there is one that can be read.
local stamp, text = 'none', false
if redis.call('STRLEN', KEYS[1]) > tonumber(ARGV[1]) then
  stamp = 'large'
else
  text = redis.call('GET', KEYS[1])
  if text then
    stamp = redis.sha1hex(text)
  end
end
