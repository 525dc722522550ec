// ClientHello messages by construction, in records of any size; and whatever is wrong with one.

interface HelloParts {
  readonly name?: string | Buffer;
  readonly protocols?: readonly string[];
  /** More extensions, as type and data, before those two. */
  readonly extensions?: readonly (readonly [type: number, data: Buffer])[];
  /** No extensions at all. */
  readonly isBare?: boolean;
  readonly sessionId?: Buffer;
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** `data` with a length of `size` bytes before it. */
export function vector(size: 1 | 2 | 3, ...data: readonly Buffer[]): Buffer {
  const all = Buffer.concat(data);
  const length = Buffer.alloc(size);
  length.writeUIntBE(all.length, 0, size);
  return Buffer.concat([length, all]);
}

export function serverNameData(name: string | Buffer): Buffer {
  return vector(2, u8(0), vector(2, Buffer.from(name)));
}

export function protocolsData(protocols: readonly string[]): Buffer {
  return vector(2, ...protocols.map((name) => vector(1, Buffer.from(name, 'latin1'))));
}

/** The body of the message, behind its header. */
export function helloBody(parts: HelloParts = {}): Buffer {
  const { name, protocols, extensions = [], isBare = false, sessionId = Buffer.alloc(32, 7) } = parts;
  const all = [...extensions];
  if (name !== undefined) all.push([0, serverNameData(name)]);
  if (protocols !== undefined) all.push([16, protocolsData(protocols)]);
  const fixed = [u16(0x0303), Buffer.alloc(32, 1), vector(1, sessionId), vector(2, u16(0x1301), u16(0xc02b))];
  const listed = all.map(([type, data]) => Buffer.concat([u16(type), vector(2, data)]));
  return Buffer.concat([...fixed, vector(1, u8(0)), ...(isBare ? [] : [vector(2, ...listed)])]);
}

/** The message. */
export function helloMessage(body: Buffer): Buffer {
  return Buffer.concat([u8(1), vector(3, body)]);
}

/** `message` in records of `size` bytes. */
export function inRecords(message: Buffer, size = 16_384): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    records.push(Buffer.concat([u8(22), u16(0x0301), vector(2, message.subarray(at, at + size))]));
  }
  return Buffer.concat(records);
}

export function clientHello(parts: HelloParts = {}, recordBytes?: number): Buffer {
  return inRecords(helloMessage(helloBody(parts)), recordBytes);
}
