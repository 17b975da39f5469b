// Small helpers around the page's elements.

export const byId = (id) => document.getElementById(id);

// An element; `on…` attributes are handlers, false and null leave an attribute out. Texts are never read as HTML.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'value' || key === 'checked') element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Replaces what is in an element, and keeps the focus where it was if an element of the same id is still there.
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : '';
  element.replaceChildren(...children.flat().filter(Boolean));
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

export function options(select, list, chosen) {
  fill(select, list.map(([value, text]) => el('option', { value }, text)));
  select.value = list.some(([value]) => value === chosen) ? chosen : (list[0]?.[0] ?? '');
}

// Runs what was asked for last, a little after it was asked for.
export function later(work, milliseconds) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
}

export function say(text) {
  byId('said').textContent = text;
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied.`);
  } catch {
    // Without the permission, an element that is selected can still be copied.
    const area = el('textarea', { value: text, class: 'away' });
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    say(copied ? `${what} copied.` : `The browser does not let this page copy. ${what}: ${text}`);
  }
}
