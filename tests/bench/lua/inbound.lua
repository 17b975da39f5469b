-- The best that Lua can do for requests to a pod. Its tables belong to one listener of one worker: what is remembered
-- here is not seen by the requests that leave the pod.
local DEFAULT, METADATA = "green", METADATA_IS_WRITTEN
local TENANTS = {["green"] = true, ["gray-v1"] = true}
-- Two generations: a table of a fixed size from which entries are taken one by one is hashed anew at every insertion.
local SIZE, count, fresh, old = 8192, 0, {}, {}

local function remember(id, tenant)
  if id == nil or fresh[id] == tenant then return end
  if count == SIZE then fresh, old, count = {}, fresh, 0 end
  fresh[id], count = tenant, count + 1
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
