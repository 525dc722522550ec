// The last case of a switch over a union: the compiler shows that nothing comes here. For every layer.

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
