{{- /*
The same decisions as in graylane's own `render`, made of values: who is pinned where, which weights hold, and what
filters and routes therefore say. mesh.json has everything that no value changes.
*/ -}}

{{- /* Pins and rollout of a service, or of one of its routes, as JSON. */ -}}
{{- define "graylane.choices" -}}
{{- $service := get .data.services .service -}}
{{- $values := default dict (get (default dict .values.services) .service) -}}
{{- $pins := default dict $values.pins -}}
{{- $rollout := dict -}}
{{- with $values.weights -}}
  {{- $weights := list -}}
  {{- $sum := 0 -}}
  {{- range $subset, $percent := . -}}
    {{- $hundredths := mulf $percent 100 -}}
    {{- $buckets := int (round $hundredths 0) -}}
    {{- if gt (subf (maxf $hundredths $buckets) (minf $hundredths $buckets)) 0.000001 -}}
      {{- fail (printf "services.%s.weights.%s: invalid weight %v: write percent with up to two decimals" $.service $subset $percent) -}}
    {{- end -}}
    {{- $sum = add $sum $buckets -}}
    {{- $weights = append $weights (dict "subset" $subset "buckets" $buckets "from" (default "bottom" (get $service.from $subset))) -}}
  {{- end -}}
  {{- if gt $sum 10000 -}}
    {{- fail (printf "services.%s.weights: they add up to more than 100 %%: the baseline gets the rest" $.service) -}}
  {{- end -}}
  {{- $rollout = dict "salt" $service.salt "tenants" ($values.tenants | uniq | sortAlpha) "weights" $weights -}}
{{- end -}}
{{- $route := default dict (get $service.routes .route) -}}
{{- if hasKey $route "pins" -}}{{- $pins = $route.pins -}}{{- end -}}
{{- if hasKey $route "rollout" -}}{{- $rollout = $route.rollout -}}{{- end -}}
{{- toRawJson (dict "pins" $pins "rollout" $rollout) -}}
{{- end -}}

{{- /* The rules of a service or route in one place, in order, as JSON: {"http": […]}. */ -}}
{{- define "graylane.rules" -}}
{{- $data := .data -}}
{{- $block := .block -}}
{{- $service := get $data.services $block.service -}}
{{- $choices := get .choices (printf "%s:%s" $block.service $block.route) -}}
{{- $rollout := $choices.rollout -}}
{{- $removes := and (not (empty $rollout)) (not $data.withoutFilter) -}}
{{- $rules := list -}}
{{- $strict := list -}}
{{- range $tenant, $subset := $choices.pins -}}
  {{- $header := dict "name" $data.header "value" $tenant -}}
  {{- $name := printf "pin-%s" $tenant -}}
  {{- if and $service.fallsBack (ne $subset $service.baseline) (ne $subset $block.baseline) -}}
    {{- $rules = append $rules (dict "name" $name "header" $header "subsets" (list (printf "%s-or-baseline" $subset)) "removes" $removes) -}}
  {{- else -}}
    {{- $strict = append $strict (dict "name" $name "header" $header "subsets" (list $subset)) -}}
  {{- end -}}
{{- end -}}
{{- if $removes -}}
  {{- range $subset := $service.subsets -}}
    {{- $header := dict "name" $data.subsetHeader "value" (printf "%s/%s" $service.host $subset) -}}
    {{- $rules = append $rules (dict "name" (printf "subset-%s" $subset) "header" $header "subsets" (list $subset) "removes" true) -}}
  {{- end -}}
{{- end -}}
{{- $rules = concat $rules $strict -}}
{{- if $block.answers -}}
  {{- $rules = list (dict "name" "answer" "subsets" list) -}}
{{- else if empty $rollout -}}
  {{- $rules = append $rules (dict "name" "baseline" "subsets" (list $block.baseline)) -}}
{{- else -}}
  {{- range $tenant := $data.tenants -}}
    {{- if not (or (hasKey $choices.pins $tenant) (has $tenant $rollout.tenants)) -}}
      {{- $header := dict "name" $data.header "value" $tenant -}}
      {{- $rules = append $rules (dict "name" (printf "baseline-%s" $tenant) "header" $header "subsets" (list $block.baseline)) -}}
    {{- end -}}
  {{- end -}}
  {{- $rest := 10000 -}}
  {{- $whole := true -}}
  {{- $subsets := list -}}
  {{- $weights := list -}}
  {{- range $rollout.weights -}}
    {{- if gt (int .buckets) 0 -}}
      {{- $rest = sub $rest (int .buckets) -}}
      {{- $subsets = append $subsets .subset -}}
      {{- $weights = append $weights (int .buckets) -}}
    {{- end -}}
  {{- end -}}
  {{- if gt $rest 0 -}}
    {{- $subsets = append $subsets $block.baseline -}}
    {{- $weights = append $weights $rest -}}
  {{- end -}}
  {{- range $weights -}}{{- if mod . 100 -}}{{- $whole = false -}}{{- end -}}{{- end -}}
  {{- $rules = append $rules (dict "name" "rollout" "subsets" $subsets "weights" $weights "whole" $whole) -}}
{{- end -}}
{{- $http := list -}}
{{- range $rule := $rules -}}
  {{- $matches := list -}}
  {{- $fits := empty $block.matches -}}
  {{- range $own := (default (list (dict "is" dict)) $block.matches) -}}
    {{- $match := deepCopy $own.is -}}
    {{- $holds := true -}}
    {{- with $rule.header -}}
      {{- /* What a route says of the tenant header itself, no rule for another tenant fits. */ -}}
      {{- if and (hasKey $own "but") (eq .name $data.header) -}}
        {{- $match = deepCopy $own.but -}}
        {{- $holds = has .value $own.tenants -}}
      {{- end -}}
      {{- $_ := set $match "headers" (set (default dict $match.headers) .name (dict "exact" .value)) -}}
    {{- end -}}
    {{- if $holds -}}
      {{- $fits = true -}}
      {{- if $match -}}{{- $matches = append $matches $match -}}{{- end -}}
    {{- end -}}
  {{- end -}}
  {{- $route := list -}}
  {{- range $index, $subset := $rule.subsets -}}
    {{- $destination := deepCopy (get $block.targets $subset) -}}
    {{- if gt (len $rule.subsets) 1 -}}
      {{- $weight := index $rule.weights $index -}}
      {{- $_ := set $destination "weight" (ternary (div $weight 100) $weight $rule.whole) -}}
    {{- end -}}
    {{- $route = append $route $destination -}}
  {{- end -}}
  {{- $fields := deepCopy (ternary $block.removing $block.fields (default false $rule.removes)) -}}
  {{- $_ := set $fields "name" (printf "%s:%s" $block.place $rule.name) -}}
  {{- with $route -}}{{- $_ := set $fields "route" . -}}{{- end -}}
  {{- with $matches -}}{{- $_ := set $fields "match" . -}}{{- end -}}
  {{- if $fits -}}{{- $http = append $http $fields -}}{{- end -}}
{{- end -}}
{{- toRawJson (dict "http" $http) -}}
{{- end -}}

{{- /* What the filter's configuration says of pins and rollout, as JSON. */ -}}
{{- define "graylane.placed" -}}
{{- $placed := dict -}}
{{- $pins := list -}}
{{- range $tenant, $subset := .pins -}}{{- $pins = append $pins (dict "tenant" $tenant "subset" $subset) -}}{{- end -}}
{{- with $pins -}}{{- $_ := set $placed "pins" . -}}{{- end -}}
{{- with .rollout -}}{{- $_ := set $placed "rollout" . -}}{{- end -}}
{{- toRawJson $placed -}}
{{- end -}}

{{- /* The filter's configuration for every role, as JSON, with the revision of them all. */ -}}
{{- define "graylane.configs" -}}
{{- $choices := .choices -}}
{{- $participants := list -}}
{{- range $choices -}}{{- with .rollout -}}{{- $participants = concat $participants .tenants -}}{{- end -}}{{- end -}}
{{- $participants = $participants | uniq | sortAlpha -}}
{{- $services := list -}}
{{- range $own := .data.filterServices -}}
  {{- $service := merge (deepCopy $own) (include "graylane.placed" (get $choices (printf "%s:" $own.name)) | fromJson) -}}
  {{- $routes := list -}}
  {{- range $route := $own.routes -}}
    {{- if $route.chosen -}}
      {{- $placed := include "graylane.placed" (get $choices (printf "%s:%s" $own.name $route.name)) | fromJson -}}
      {{- $routes = append $routes (merge (dict "name" $route.name) $placed) -}}
    {{- else -}}
      {{- $routes = append $routes $route -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := unset $service "routes" -}}
  {{- with $routes -}}{{- $_ := set $service "routes" . -}}{{- end -}}
  {{- $services = append $services $service -}}
{{- end -}}
{{- $atGateways := list -}}
{{- range $service := $services -}}
  {{- $hosts := get $.data.gatewayHosts $service.name -}}
  {{- $atGateways = append $atGateways (ternary (merge (dict "hosts" $hosts) $service) $service (not (empty $hosts))) -}}
{{- end -}}
{{- $configs := dict -}}
{{- $all := list -}}
{{- range $own := .data.roles -}}
  {{- $config := deepCopy $own.config -}}
  {{- if and $own.knowsDestinations $services -}}
    {{- $_ := set $config "services" (ternary $atGateways $services (eq $config.role "gateway")) -}}
  {{- end -}}
  {{- if $participants -}}
    {{- $_ := set $config "sticky" (merge (dict "tenants" $participants) $own.sticky) -}}
  {{- end -}}
  {{- $_ := set $configs (default $config.role $own.name) $config -}}
  {{- $all = append $all $config -}}
{{- end -}}
{{- toRawJson (dict "configs" $configs "revision" ($all | toRawJson | sha256sum | trunc 12)) -}}
{{- end -}}
