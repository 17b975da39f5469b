// The state of the page as text behind the `#` of its address.

const VERSION = 'v1.';

async function through(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

export async function written(state) {
  const bytes = await through(new TextEncoder().encode(JSON.stringify(state)), new CompressionStream('deflate-raw'));
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `#${VERSION}${btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

// None: there is no state in it.
export async function read(fragment) {
  const text = decodeURIComponent(fragment.replace(/^#/, ''));
  if (!text.startsWith(VERSION)) return null;
  const packed = atob(text.slice(VERSION.length).replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = await through(Uint8Array.from(packed, (one) => one.charCodeAt(0)), new DecompressionStream('deflate-raw'));
  return checked(JSON.parse(new TextDecoder().decode(bytes)));
}

// Anybody can write a link: what has another shape than ours is refused.
function checked(state) {
  const isText = (value) => typeof value === 'string';
  const isFile = (file) => isText(file?.name) && isText(file?.text);
  const isLayers = (layers) => Array.isArray(layers) && layers.length > 0 && layers.every((layer) => Array.isArray(layer) && layer.length > 0 && layer.every(isFile));
  const isStop = (stop) => isText(stop?.service) && isText(stop.drops) && isText(stop.route);
  const { request } = state;
  const fits = isLayers(state.layers) && isLayers(state.was) && isText(state.tab) && isText(state.image)
    && Object.values(state.variables).every(isText)
    && Array.isArray(request?.path) && request.path.every(isStop)
    && [request.from, request.of, request.tenant, request.user, request.headers, request.claims].every(isText);
  if (!fits) throw new Error('unknown shape');
  return state;
}
