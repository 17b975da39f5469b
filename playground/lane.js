// Where the request went, hop by hop, in the shapes and colours of the lane map.
import { code } from './editor.js';
import { copy, el, fill } from './dom.js';

const COLOURS = 6;
const RESTORED = ['baggage', 'memory', 'workload'];
const SOURCES = {
  header: 'from its header',
  rule: 'by a rule at the gateway',
  claim: 'by a rule at the gateway, on a claim',
  baggage: 'restored from the baggage',
  memory: 'restored: the sidecar remembers the request',
  workload: 'restored: the pod has the tenant’s label',
  default: 'the default: no tenant came with it, or none that is accepted',
  topic: 'from the topic of the message',
};
const REASONS = { pin: 'the tenant is pinned to it', rollout: 'the user’s bucket lies in its share', baseline: 'the baseline', worker: 'the deployment that consumes the topic' };

export function colour(outline, tenant) {
  const at = outline.tenants.indexOf(tenant);
  return `t${Math.min(at < 0 ? COLOURS : at, COLOURS - 1)}`;
}

// The lines that decided, by file.
export function decided(hops, outline) {
  const result = new Map();
  const add = (place, tenant) => {
    if (!place?.line) return;
    if (!result.has(place.file)) result.set(place.file, new Map());
    result.get(place.file).set(place.line, colour(outline, tenant));
  };
  for (const hop of hops) {
    add(hop, hop.tenant);
    add(hop.rule, hop.tenant);
  }
  return result;
}

// Draws hops and notes.
export function draw(element, { hops, notes }, page) {
  const { request, outline } = page;
  const lost = losses(hops, request);
  fill(element,
    el('ol', { class: 'lane', 'aria-label': 'Hops of the request' },
      el('li', { class: 'start' }, el('div', { class: 'node' }, el('span', { class: 'name' }, hops[0]?.by ?? request.from)),
        el('p', {}, outline.gateways.includes(request.from) ? 'A request from outside enters here.' : 'The request begins here.')),
      hops.map((hop, at) => stop(hop, at, lost, page))),
    legend(hops, outline),
    notes.map((note) => el('p', { class: 'note' }, 'note: ', code(note))),
    el('div', { class: 'command' }, el('code', { id: 'command' }, page.command, page.isEdited ? el('small', {}, ' # of the file as it is here') : null),
      el('button', { type: 'button', id: 'copy-command', class: 'small', onclick: () => copy(page.command, 'Command') }, 'Copy')));
}

export function failed(element, message) {
  fill(element, el('p', { class: 'wrong', role: 'alert' }, code(message)));
}

// What became of a header that an application dropped: by the service that dropped it.
function losses(hops, request) {
  const result = new Map();
  hops.forEach((hop, at) => {
    const drops = request.path.find((stop) => stop.service === hop.by)?.drops;
    if (!drops || at === 0 || hop.source === 'header') return;
    const before = hops[at - 1];
    result.set(hop.by, hop.tenant === before.tenant ? (RESTORED.includes(hop.source) ? 'mends' : '') : 'breaks');
  });
  return result;
}

function stop(hop, at, lost, page) {
  const { outline } = page;
  const isRestored = RESTORED.includes(hop.source);
  const tenant = hop.tenant ? colour(outline, hop.tenant) : 'none';
  const broken = lost.get(hop.by) === 'breaks';
  const state = lost.get(hop.service) ?? '';
  const how = hop.tenant === null ? 'the filter leaves it alone' : (SOURCES[hop.source] ?? hop.source);
  return el('li', { class: `hop ${tenant} ${isRestored ? 'restored' : ''} ${broken ? 'left-lane' : ''}`, 'data-hop': at },
    el('div', { class: 'way', 'aria-hidden': 'true' }),
    el('div', { class: 'call' },
      el('span', { class: 'away' }, `${hop.by} → ${hop.service}: `),
      el('b', { class: 'who' }, hop.tenant ?? 'no tenant'), ' ', el('span', {}, how),
      hop.rule ? [' ', jumper(hop.rule, page, `rule-${at}`)] : null,
      isRestored && lost.has(hop.by) ? el('small', { class: 'sign' }, `${hop.by} lost it`) : null,
      broken ? el('small', { class: 'sign' }, `left its lane: ${hop.by} lost the header, and nothing is left to restore it from`) : null),
    node(hop, state, outline),
    why(hop, at, page));
}

function node(hop, state, outline) {
  const service = outline.services.find((one) => one.name === hop.service);
  const sign = { mends: 'loses headers', breaks: 'loses tenants' }[state];
  return el('div', { class: `node ${state}` },
    el('span', { class: 'name' }, hop.service), sign ? el('span', { class: 'sign' }, sign) : null,
    (service?.subsets ?? []).map((subset) =>
      el('span', { class: subset === hop.subset ? 'subset here' : 'subset' }, subset, el('i', { 'aria-hidden': 'true' }))));
}

function why(hop, at, page) {
  if (hop.rejected) {
    return el('div', { class: 'why' }, el('p', {}, el('b', { class: 'rejected' }, `${hop.rejected.status}`), ` turned away: policy.${hop.rejected.reason}`), source(hop, page, `line-${at}`));
  }
  const unit = hop.bucket === null ? null : `bucket ${hop.bucket}${hop.unitSource && hop.unitSource !== 'none' ? `, unit from ${hop.unitSource}` : ''}`;
  const reason = hop.subset === null
    ? (hop.isExternal ? 'its routes are external: where it leads is not in the file' : 'not to a service of the file')
    : (hop.reason ? REASONS[hop.reason] : (hop.unitSource === 'drawn' ? 'drawn by weight' : ''));
  return el('div', { class: 'why' },
    el('p', {}, el('b', {}, hop.subset ?? hop.service), reason ? ` – ${reason}` : '', unit ? el('small', {}, ` (${unit})`) : null),
    source(hop, page, `line-${at}`));
}

// The line that decided, as it stands in the file.
function source(place, page, id) {
  if (!place.line) return null;
  const text = page.line(place.file, place.line).trim();
  return el('p', { class: 'decider' }, jumper(place, page, id), ' ', el('code', {}, text));
}

function jumper(place, page, id) {
  const name = page.isOne ? `line ${place.line}` : `${place.file}:${place.line}`;
  return el('button', { type: 'button', class: 'line', id, 'data-line': place.line, onclick: () => page.jump(place.file, place.line) }, name);
}

function legend(hops, outline) {
  const seen = outline.tenants.filter((tenant) => hops.some((hop) => hop.tenant === tenant));
  return el('ul', { class: 'legend' },
    seen.map((tenant) => el('li', { class: colour(outline, tenant) }, el('i'), tenant, tenant === outline.tenants[0] ? el('small', {}, ' live') : null)),
    hops.some((hop) => RESTORED.includes(hop.source)) ? el('li', { class: 'dashed' }, el('i'), 'header lost on the way, restored by the sidecar') : null);
}
