-- The best that Lua can do for requests to a pod. Its tables belong to one listener of one worker: what is remembered
-- here is not seen by the requests that leave the pod.
local DEFAULT, METADATA = "green", METADATA_IS_WRITTEN
local TENANTS = {["green"] = true, ["gray-v1"] = true}
local SIZE, place, ring, known = 16384, 0, {}, {}

local function remember(id, tenant)
  if id == nil or known[id] == tenant then return end
  place = place % SIZE + 1
  local old = ring[place]
  if old ~= nil then known[old] = nil end
  ring[place], known[id] = id, tenant
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local tenant = headers:get("tenant")
  if tenant == nil or tenant == "" then
    local baggage = headers:get("baggage")
    local member = baggage and string.match(baggage, "tenant=([%w._-]+)")
    tenant = TENANTS[member] and member or DEFAULT
    headers:replace("tenant", tenant)
  elseif not TENANTS[tenant] then
    tenant = DEFAULT
    headers:replace("tenant", tenant)
  end
  if headers:get("x-graylane-subset") ~= nil then headers:remove("x-graylane-subset") end
  if tenant ~= DEFAULT then
    remember(headers:get("x-request-id"), tenant)
    local parent = headers:get("traceparent")
    remember(parent and string.sub(parent, 4, 35), tenant)
  end
  if METADATA then
    local metadata = handle:streamInfo():dynamicMetadata()
    metadata:set("lane", "tenant", tenant)
    metadata:set("lane", "subset", "stable")
  end
end
