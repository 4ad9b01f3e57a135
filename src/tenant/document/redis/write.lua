-- ARGV[2] is the mark of the text that is to be replaced, ARGV[3] the new text.
if stamp ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3])
return 1
