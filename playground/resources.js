// What is rendered, and what of it is another than it was as the file was loaded.
import { code } from './editor.js';
import { el, fill } from './dom.js';
import { around, lines } from './diff.js';

const CONTEXT = 3;
const WORDS = { same: 'as it was', changed: 'changed', added: 'new', removed: 'gone' };

const key = (resource) => `${resource.kind} ${resource.namespace}/${resource.name}`;

function rendered(mesh, image) {
  return image ? mesh.render({ image }) : mesh.render();
}

// What a file rendered to as it was loaded: nothing, if it could not be.
function loaded(mesh, image) {
  try {
    return mesh ? rendered(mesh, image) : [];
  } catch {
    return [];
  }
}

// Both renderings side by side, in the order of application; what is gone comes last.
export function compare(now, was, image) {
  const all = rendered(now.mesh, image);
  if (was.rendered?.image !== image) was.rendered = { image, resources: loaded(was.mesh, image) };
  const before = was.rendered.resources;
  const old = new Map(before.map((resource) => [key(resource), resource]));
  const rows = all.map((resource) => {
    const other = old.get(key(resource));
    old.delete(key(resource));
    const state = other ? (other.yaml === resource.yaml ? 'same' : 'changed') : 'added';
    return { name: key(resource), state, yaml: resource.yaml, diff: lines(other?.yaml ?? '', resource.yaml) };
  });
  const gone = [...old.values()].map((resource) => ({ name: key(resource), state: 'removed', yaml: '', diff: lines(resource.yaml, '') }));
  return [...rows, ...gone];
}

export function changes(rows) {
  return rows.filter((row) => row.state !== 'same').length;
}

// Draws them; those that change are open.
export function draw(element, rows, page) {
  const opened = new Map([...element.querySelectorAll('details')].map((one) => [one.dataset.name, one.open]));
  const shown = page.onlyChanges ? rows.filter((row) => row.state !== 'same') : rows;
  const some = changes(rows);
  fill(element,
    el('div', { class: 'fields' },
      el('label', { class: 'tick' }, el('input', { type: 'checkbox', id: 'only-changes', checked: page.onlyChanges, onchange: (event) => page.only(event.target.checked) }), ' only what changes'),
      el('label', { class: 'field wide' }, el('span', {}, 'Image of the filter'),
        el('input', { id: 'image', value: page.image, placeholder: 'registry.example/graylane@sha256:… to see the plugins, too', spellcheck: 'false', autocomplete: 'off', oninput: (event) => page.imaged(event.target.value.trim()) }))),
    page.problem ? el('p', { class: 'wrong', role: 'alert' }, code(page.problem)) : null,
    el('p', { class: 'count', role: 'status' }, `${rows.length} resources, ${some} of them ${some === 1 ? 'is' : 'are'} not as loaded`),
    shown.map((row) => resource(row, opened.get(row.name) ?? row.state === 'changed')));
}

function resource(row, isOpen) {
  const [kind, name] = row.name.split(' ');
  const count = (sign) => row.diff.filter((line) => line.sign === sign).length;
  const numbers = row.state === 'changed' ? ` +${count('+')} −${count('-')}` : '';
  const element = el('details', { class: `resource ${row.state}`, 'data-name': row.name, open: isOpen },
    el('summary', {}, el('b', {}, kind), ' ', name, ' ', el('small', {}, WORDS[row.state] + numbers)));
  const body = () => {
    const all = row.state === 'changed' ? around(row.diff, CONTEXT) : row.diff;
    return el('pre', { tabindex: '0', 'aria-label': `YAML of ${row.name}` }, all.map((line) => (line === null
      ? el('span', { class: 'skipped' }, '   ⋯\n')
      : el('span', { class: { '+': 'plus', '-': 'minus', ' ': null }[line.sign] }, `${row.state === 'same' ? '' : `${line.sign} `}${line.text}\n`))));
  };
  // Hundreds of closed ones cost nothing.
  const grow = () => { if (element.open && !element.querySelector('pre')) element.append(body()); };
  element.addEventListener('toggle', grow);
  grow();
  return element;
}
