// Who moves when a weight changes: a slider for each canary, and a thousand users.
import { files, quoted } from './ask.js';
import { copy, el } from './dom.js';

export const USERS = 1000;
const COLUMNS = 50;
const STEP = 10;

// The panel of one service is built once and then only brought up to date, so that a slider can be dragged.
export function build(page, service) {
  const { name, rollout } = service;
  const sliders = rollout.weights.map(({ subset }) => slider(page, name, subset));
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', `0 0 ${COLUMNS * STEP} ${(USERS / COLUMNS) * STEP}`);
  svg.setAttribute('role', 'img');
  const words = el('p', { class: 'moved', id: `moved-${name}`, 'aria-live': 'polite' });
  const table = el('tbody');
  const code = el('code');
  const element = el('article', { class: 'rollout', 'data-service': name },
    el('h3', {}, name, ' ', el('small', {}, `salt ${rollout.salt}`)),
    sliders.map((one) => one.element),
    svg,
    el('ul', { class: 'legend users' },
      el('li', { class: 'stays' }, el('i'), 'baseline'), el('li', { class: 'canary' }, el('i'), 'canary, as before'),
      el('li', { class: 'moves' }, el('i'), 'moves to a canary'), el('li', { class: 'back' }, el('i'), 'leaves a canary')),
    words,
    el('table', {}, el('thead', {}, el('tr', {}, ['subset', 'as loaded', 'now'].map((text) => el('th', {}, text)))), table),
    el('div', { class: 'command' }, code, el('button', { type: 'button', class: 'small', onclick: () => copy(code.textContent, 'Command') }, 'Copy')));
  return { element, update: (now, was) => update({ name, sliders, svg, words, table, code, page, now, was }) };
}

function slider(page, service, subset) {
  const id = `weight-${service}-${subset}`;
  const change = (event) => page.weigh(service, subset, event.target.value);
  const range = el('input', { type: 'range', id, min: 0, max: 100, step: 1, 'aria-label': `Percent of ${service} on ${subset}`, oninput: change });
  const number = el('input', { type: 'number', id: `${id}-number`, min: 0, max: 100, step: 0.01, 'aria-label': `Percent of ${service} on ${subset}, as a number`, onchange: change });
  const hint = el('small');
  return { subset, range, number, hint, element: el('div', { class: 'weight' }, el('label', { for: id }, subset), range, number, ' %', hint) };
}

// The weights that a file has, by canary.
function shares(service) {
  return Object.fromEntries((service?.rollout?.weights ?? []).map(({ subset, percent }) => [subset, percent]));
}

function update(parts) {
  const { name, sliders, now, was, page } = parts;
  const service = now.outline.services.find((one) => one.name === name);
  const before = was.outline?.services.find((one) => one.name === name);
  const [is, old] = [shares(service), shares(before)];
  for (const { subset, range, number, hint } of sliders) {
    const canary = service.rollout.weights.find((one) => one.subset === subset);
    const fixed = !page.editable(canary.place);
    [range.value, range.disabled, number.disabled] = [canary.percent, fixed, fixed];
    if (document.activeElement !== number) number.value = canary.percent;
    hint.textContent = fixed ? ' the number is not in this file: a variable, or a layer' : (old[subset] === undefined || old[subset] === canary.percent ? '' : ` ${old[subset]} % as loaded`);
  }
  // Canaries that are new had nobody.
  const from = { ...Object.fromEntries(Object.keys(is).map((subset) => [subset, 0])), ...old };
  const known = Object.keys(from).every((subset) => service.subsets.includes(subset));
  const same = Boolean(before?.rollout) && known && before.baseline === service.baseline;
  const change = { service: name, from: same ? from : {}, to: same ? { ...Object.fromEntries(Object.keys(old).map((subset) => [subset, 0])), ...is } : {}, users: USERS };
  const moved = now.mesh.simulate(change);
  const crowd = now.mesh.crowd(change);
  picture(parts.svg, crowd, moved);
  const drawnAgain = same && before.rollout.salt !== service.rollout.salt;
  parts.words.textContent = drawnAgain
    ? 'The salt is another: all users are placed anew. The picture shows the new salt only.'
    : `${moved.moved} of ${moved.users} users move, ${moved.movedBack} back`;
  parts.table.replaceChildren(...[...new Set([...Object.keys(moved.before), ...Object.keys(moved.after)])].map((subset) =>
    el('tr', { 'data-subset': subset }, [subset, moved.before[subset] ?? 0, moved.after[subset] ?? 0].map((text) => el('td', {}, String(text))))));
  const list = (label, object) => Object.entries(object).flatMap(([subset, percent]) => [label, `${subset}=${percent}`]);
  parts.code.textContent = ['graylane', 'simulate', name, ...files(page.layers), ...list('--from', change.from), ...list('--to', change.to), '--users', String(USERS)].map(quoted).join(' ');
}

// A dot for each user, in the order of their numbers: a user has one place in the picture, whatever the weights are.
function picture(svg, crowd, moved) {
  const dots = { stays: '', canary: '', moves: '', back: '' };
  crowd.after.forEach((after, user) => {
    const before = crowd.before[user];
    const kind = before === after ? (after === 0 ? 'stays' : 'canary') : (after === 0 ? 'back' : 'moves');
    dots[kind] += `M${(user % COLUMNS) * STEP + STEP / 2} ${Math.floor(user / COLUMNS) * STEP + STEP / 2}h0`;
  });
  svg.setAttribute('aria-label', `${moved.users} users: ${moved.moved} move, ${moved.movedBack} back`);
  svg.replaceChildren(...Object.entries(dots).flatMap(([kind, d]) => [kind, ...(kind === 'moves' || kind === 'back' ? [`${kind} hole`] : [])].map((name) => {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('class', name);
    path.setAttribute('d', d);
    return path;
  })));
}
