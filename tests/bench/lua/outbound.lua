-- The best that Lua can do for requests of a pod: no memory of what came in, numbers of 32 bits.
local DEFAULT, METADATA, STICKY = "green", METADATA_IS_WRITTEN, HAS_ROLLOUT
local TENANTS = {["green"] = true, ["gray-v1"] = true}
local HOST = "api.shop.svc.cluster.local"
local NAMES = {["api"] = true, ["api.shop"] = true, ["api.shop.svc"] = true, [HOST] = true}
local SUBSET = {canary = HOST .. "/canary", stable = HOST .. "/stable"}

local function bucket(unit)
  -- A salted mix of the upper and the lower half.
  local high, low = tonumber(string.sub(unit, 1, 8), 16), tonumber(string.sub(unit, 9, 16), 16)
  return bit.bxor(bit.tobit(high * 40503), bit.tobit(low), 0x5bd1e995) % 10000
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local tenant = headers:get("tenant")
  local baggage
  if tenant == nil or not TENANTS[tenant] then
    baggage = headers:get("baggage")
    local member = baggage and string.match(baggage, "tenant=([%w._-]+)")
    tenant = TENANTS[member] and member or DEFAULT
    headers:replace("tenant", tenant)
  end
  local subset = "stable"
  if NAMES[string.match(headers:get(":authority"), "^[^:]+")] then
    if not STICKY then
      if tenant == "gray-v1" then subset = "canary" end
    elseif tenant == DEFAULT then
      baggage = baggage or headers:get("baggage")
      local unit = baggage and string.match(baggage, "graylane%-unit=(%x+)")
      if unit ~= nil and #unit == 16 and bucket(unit) < 2500 then subset = "canary" end
    end
  end
  if STICKY then
    headers:replace("x-graylane-subset", SUBSET[subset])
  elseif headers:get("x-graylane-subset") ~= nil then
    headers:remove("x-graylane-subset")
  end
  if METADATA then
    local metadata = handle:streamInfo():dynamicMetadata()
    metadata:set("lane", "tenant", tenant)
    metadata:set("lane", "subset", subset)
  end
end
