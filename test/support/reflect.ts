// The few calls of the reflect-metadata proposal that @peculiar/x509's injector makes while it loads, and those of the
// package of that name, which acme-client loads later; Node has none of them. Import it for its effect, before
// @peculiar/x509.

const store = new WeakMap<object, Map<unknown, unknown>>();

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const entries = store.get(target) ?? new Map<unknown, unknown>();
  store.set(target, entries.set(key, value));
}

function getOwnMetadata(key: unknown, target: object): unknown {
  return store.get(target)?.get(key);
}

function getMetadata(key: unknown, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
    const value = getOwnMetadata(key, at);
    if (value !== undefined) return value;
  }
  return undefined;
}

function metadata(key: unknown, value: unknown): (target: object) => void {
  return (target) => defineMetadata(key, value, target);
}

function getOwnMetadataKeys(target: object): unknown[] {
  return [...(store.get(target)?.keys() ?? [])];
}

function hasOwnMetadata(key: unknown, target: object): boolean {
  return store.get(target)?.has(key) === true;
}

function deleteMetadata(key: unknown, target: object): boolean {
  return store.get(target)?.delete(key) === true;
}

const own = { getOwnMetadataKeys, hasOwnMetadata, deleteMetadata };
const all = { ...own, defineMetadata, getOwnMetadata, getMetadata, metadata };
if (!('getMetadata' in Reflect)) Object.assign(Reflect, all);
