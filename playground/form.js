// The form of the request. Every control has an id of its own, so that the focus stays when the form is drawn again.
import { DROPS } from './ask.js';
import { el, fill, options } from './dom.js';

function choice(id, label, list, chosen, change) {
  const select = el('select', { id, 'aria-label': label, onchange: () => change(select.value) });
  options(select, list, chosen);
  return select;
}

function field(label, control, hint) {
  return el('label', { class: 'field' }, el('span', {}, label), control, hint ? el('small', {}, hint) : null);
}

const KEYS = { header: 'header', cookie: 'cookie', query: 'query parameter', claim: 'claim' };

// Draws it; `change` is told what of the request is another.
export function draw(form, request, outline, change) {
  const key = outline.keys[0];
  const callers = [
    ...outline.gateways.map((gateway) => [gateway, `outside, through ${gateway === 'gateway' ? 'the gateway' : gateway.replace(':', ' ')}`]),
    ['pod', 'a pod of the mesh'],
    ...outline.workers.map(({ name }) => [`worker:${name}`, `worker ${name}`]),
  ];
  const tenants = outline.tenants.map((tenant, at) => [tenant, at === 0 ? `${tenant} (live)` : tenant]);
  const inWords = key && KEYS[key.in] ? `${KEYS[key.in]} ${[].concat(key.name).join('.')}` : '';
  fill(form,
    el('div', { class: 'fields' },
      field('From', choice('from', 'Where the request comes from', callers, request.from, (from) => change({ from }))),
      request.from.startsWith('worker:')
        ? field('Message of', choice('of', 'Tenant of the message', tenants, request.of, (of) => change({ of })))
        : null,
      field('Tenant', choice('tenant', 'Tenant header', [['', 'no header'], ...tenants], request.tenant, (tenant) => change({ tenant })),
        `header ${outline.header}`),
      inWords
        ? field('User', el('input', { id: 'user', value: request.user, autocomplete: 'off', oninput: (event) => change({ user: event.target.value }) }), inWords)
        : null),
    el('fieldset', { class: 'path' }, el('legend', {}, 'Calls, in order'),
      el('ol', {}, request.path.map((stop, at) => row(stop, at, request, outline, change))),
      adder(request, outline, change)),
    el('details', { id: 'more', open: Boolean(request.headers || request.claims) || form.querySelector('#more')?.open },
      el('summary', { id: 'more-summary' }, 'More headers', outline.hasTokens ? ' and claims' : ''),
      field('Headers', el('textarea', { id: 'headers', rows: 2, value: request.headers, placeholder: 'name: value, one a line', spellcheck: 'false', oninput: (event) => change({ headers: event.target.value }) })),
      outline.hasTokens
        ? field('Claims of the token', el('textarea', { id: 'claims', rows: 2, value: request.claims, placeholder: 'role=employee, one a line', spellcheck: 'false', oninput: (event) => change({ claims: event.target.value }) }))
        : null));
}

function row(stop, at, request, outline, change) {
  const put = (part) => change({ path: request.path.map((one, index) => (index === at ? { ...one, ...part } : one)) });
  const swap = (to) => {
    const path = [...request.path];
    [path[at], path[to]] = [path[to], path[at]];
    change({ path });
  };
  const routes = outline.services.find((service) => service.name === stop.service)?.routes ?? [];
  const last = at === request.path.length - 1;
  const button = (id, label, sign, isOff, work) =>
    el('button', { type: 'button', id: `${id}-${at}`, class: 'small', 'aria-label': `${label} ${stop.service}`, title: label, disabled: isOff, onclick: work }, sign);
  return el('li', {},
    el('b', {}, stop.service),
    routes.length > 0
      ? choice(`route-${at}`, `Route of ${stop.service}`, [['', 'any route'], ...routes.map((route) => [route, `route ${route}`])], stop.route, (route) => put({ route }))
      : null,
    choice(`drops-${at}`, `What ${stop.service} drops`, DROPS, stop.drops, (drops) => put({ drops })),
    el('span', { class: 'steps' },
      button('up', 'Call earlier:', '↑', at === 0, () => swap(at - 1)),
      button('down', 'Call later:', '↓', last, () => swap(at + 1)),
      button('out', 'Leave out', '×', request.path.length === 1, () => change({ path: request.path.filter((_, index) => index !== at) }))));
}

function adder(request, outline, change) {
  // A service is passed once: what it drops is said by its name.
  const left = outline.services.filter((service) => request.path.every((stop) => stop.service !== service.name));
  if (left.length === 0) return null;
  const list = [['', 'Add a call to …'], ...left.map(({ name }) => [name, name])];
  return choice('add', 'Add a call', list, '', (service) => change({ path: [...request.path, { service, drops: '', route: '' }] }));
}
