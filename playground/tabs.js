// The tabs: arrow keys move between them, as the pattern of WAI-ARIA says.
import { byId } from './dom.js';

const NAMES = ['request', 'weights', 'resources'];

export function show(name) {
  const chosen = NAMES.includes(name) ? name : NAMES[0];
  for (const one of NAMES) {
    const tab = byId(`tab-${one}`);
    tab.setAttribute('aria-selected', String(one === chosen));
    tab.tabIndex = one === chosen ? 0 : -1;
    byId(`panel-${one}`).hidden = one !== chosen;
  }
}

export function listen(changed) {
  NAMES.forEach((name, at) => {
    byId(`tab-${name}`).addEventListener('click', () => changed(name));
    byId(`tab-${name}`).addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const to = { Home: 0, End: NAMES.length - 1 }[event.key] ?? (step === undefined ? undefined : (at + step + NAMES.length) % NAMES.length);
      if (to === undefined) return;
      event.preventDefault();
      changed(NAMES[to]);
      byId(`tab-${NAMES[to]}`).focus();
    });
  });
}
