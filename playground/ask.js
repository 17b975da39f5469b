// The request: what the form says, as the library takes it, and as the command line does.

export const DROPS = [
  ['', 'passes on all headers'],
  ['all', 'drops tenant and baggage'],
  ['tenant', 'drops the tenant header'],
  ['baggage', 'drops the baggage'],
  ['everything', 'drops every header'],
];

// What is asked of a file that was just opened: somebody of the second tenant, and the first application loses the header.
export function first(outline) {
  const usable = outline.services.filter((service) => !service.isExternal || outline.services.every((one) => one.isExternal));
  const exposed = usable.filter((service) => service.isExposed);
  const chosen = [...exposed.slice(0, 1), ...usable.filter((service) => service !== exposed[0])].slice(0, 3);
  const path = chosen.map(({ name }, at) => ({ service: name, drops: at === 0 && chosen.length > 1 ? 'all' : '', route: '' }));
  return {
    from: outline.hasGateway && exposed.length > 0 ? outline.gateways[0] : 'pod',
    of: '', path, tenant: outline.tenants[1] ?? '', user: outline.keys.length > 0 ? 'user-7' : '', headers: '', claims: '',
  };
}

// What the file no longer has is left out of a request.
export function fitting(request, outline) {
  const service = (name) => outline.services.find((one) => one.name === name);
  const isHost = (name) => name.includes('.');
  const path = request.path
    .filter((stop) => service(stop.service) || isHost(stop.service))
    .map((stop) => ({ ...stop, route: service(stop.service)?.routes.includes(stop.route) ? stop.route : '' }));
  const worker = outline.workers.find((one) => `worker:${one.name}` === request.from);
  const known = worker || outline.gateways.includes(request.from) || request.from === 'pod';
  const tenant = request.tenant && outline.tenants.includes(request.tenant) ? request.tenant : '';
  const of = worker ? (outline.tenants.includes(request.of) ? request.of : outline.tenants[0]) : '';
  return { ...request, from: known ? request.from : 'pod', of, tenant, path };
}

// Headers of the user's key and the tenant, then those that were written.
function headers(request, outline) {
  const list = [];
  if (request.tenant) list.push([outline.header, request.tenant]);
  const key = outline.keys[0];
  if (request.user && key?.in === 'header') list.push([key.name, request.user]);
  if (request.user && key?.in === 'cookie') list.push(['cookie', `${key.name}=${request.user}`]);
  if (request.user && key?.in === 'query') list.push([':path', `/?${key.name}=${encodeURIComponent(request.user)}`]);
  for (const line of request.headers.split('\n').filter((one) => one.trim())) {
    const colon = line.indexOf(':', 1);
    if (colon < 0) throw new Error(`headers: expected \`name: value\`, got \`${line.trim()}\``);
    list.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  return list;
}

function claims(request, outline) {
  // Names come from links of others: without a prototype none of them means anything.
  const result = Object.create(null);
  const put = (path, value) => {
    const inner = path.slice(0, -1).reduce((object, name) => (object[name] ??= Object.create(null)), result);
    if (typeof inner !== 'object') throw new Error(`claims: \`${path.join('.')}\` is within a claim that is a text`);
    inner[path.at(-1)] = value;
  };
  const key = outline.keys[0];
  if (request.user && key?.in === 'claim') put(key.name, request.user);
  for (const line of request.claims.split('\n').filter((one) => one.trim())) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(line.trim()) ?? [];
    if (!name) throw new Error(`claims: expected \`name=value\`, got \`${line.trim()}\``);
    put(name.trim().split('.'), value.trim());
  }
  return result;
}

// What the library is asked.
export function asked(request, outline) {
  const path = request.path.map((stop) => stop.service);
  const worker = request.from.startsWith('worker:') ? { name: request.from.slice(7), tenant: request.of } : undefined;
  const named = (key) => Object.fromEntries(request.path.filter((stop) => stop[key]).map((stop) => [stop.service, stop[key]]));
  return {
    path: outline.gateways.includes(request.from) ? [request.from, ...path] : path,
    headers: headers(request, outline), claims: claims(request, outline), drops: named('drops'), routes: named('route'),
    ...(worker ? { worker } : {}),
  };
}

// The same, for a shell.
export function command(question, layers) {
  const words = ['graylane', 'explain', ...files(layers), '--path', question.path.join(',')];
  if (question.worker) words.push('--worker', question.worker.name, '--tenant', question.worker.tenant);
  for (const [name, value] of question.headers) words.push('-H', `${name}: ${value}`);
  if (Object.keys(question.claims).length > 0) words.push('--claim', JSON.stringify(question.claims));
  const drops = Object.entries(question.drops).map(([service, what]) => (what === 'all' ? service : `${service}=${what}`));
  for (const drop of drops) words.push('--drops', drop);
  for (const [service, route] of Object.entries(question.routes)) words.push('--route', `${service}=${route}`);
  return words.map(quoted).join(' ');
}

export function files(layers) {
  return layers.flatMap((layer) => (layer.length === 1 ? ['-f', layer[0].name] : ['-f', folder(layer[0].name)]));
}

const folder = (name) => name.split('/').slice(0, -1).join('/') || '.';

export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
