// The PROXY header of version 2, binary: proxy-protocol.txt 2.2. Its 16 bytes and two addresses are held; whatever else
// its length declares, up to 64 KiB, passes by: each TLV is looked at as it comes, and none is kept.

import { IpAddress, printIp } from '../addresses/ip-address.ts';
import { Crc32c } from './crc32c.ts';
import {
  type Endpoint,
  type HeaderReader,
  OF_THE_SOCKET,
  type ProxyHeader,
  ProxyStep,
  type ProxyViolation,
} from './reader.ts';

export const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

const COMMAND_AT = 12;
const FAMILY_AT = 13;
const LENGTH_AT = 14;
const FIXED_BYTES = 16;
const VERSION = 2;
const TLV_HEAD_BYTES = 3;
/** Its flags, and whether the client's certificate was verified; TLVs of its own follow. */
const SSL_BYTES = 5;
const CRC_BYTES = 4;
const ZEROS = Buffer.alloc(CRC_BYTES);
/** PP2_CLIENT_SSL: the client came over SSL or TLS. */
const CLIENT_SSL = 0x01;
const V4_MAPPED_WORD = 0xffff;

const Command = { Local: 0, Proxy: 1 } as const;
const Family = { Unspecified: 0, Inet: 1, Inet6: 2, Unix: 3 } as const;
const Socket = { Unspecified: 0, Stream: 1 } as const;
const Tlv = { Crc32c: 0x03, Ssl: 0x20 } as const;

/** By family: both addresses and, but for unix sockets, both ports. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const;
const KEPT_BYTES = FIXED_BYTES + ADDRESS_BYTES[Family.Inet6];

const Part = { Fixed: 0, Addresses: 1, Unread: 2, TlvHead: 3, TlvValue: 4, Ssl: 5, Checksum: 6 } as const;
type Part = (typeof Part)[keyof typeof Part];

export class V2Reader implements HeaderReader {
  position = 0;
  violation: ProxyViolation | null = null;
  header: ProxyHeader | null = null;
  /** The fixed part, and addresses that are no names of unix sockets. */
  private readonly kept = Buffer.alloc(KEPT_BYTES);
  private readonly crc = new Crc32c();
  private part: Part = Part.Fixed;
  /** Bytes so far; where the current part ends, the header, and the SSL TLV as long as it lasts. */
  private taken = 0;
  private partEnd = FIXED_BYTES;
  private headerEnd = FIXED_BYTES;
  private sslEnd = 0;
  /** The last bytes of the head of a TLV, or of a checksum, as a number. */
  private word = 0;
  private checksum: number | null = null;
  private secure: boolean | null = null;

  feed(bytes: Buffer, start: number, end: number): ProxyStep {
    let i = start;
    while (i < end && !this.isOver) {
      const stop = this.part === Part.Fixed ? i + 1 : Math.min(end, i + this.partEnd - this.taken);
      this.take(bytes, i, stop);
      this.taken += stop - i;
      i = stop;
      // Parts may be empty.
      while (this.taken === this.partEnd && !this.isOver) this.endPart();
    }
    this.position = this.violation === null ? i : i - 1;
    if (this.violation !== null) return ProxyStep.Violation;
    return this.isOver ? ProxyStep.Done : ProxyStep.NeedData;
  }

  private take(bytes: Buffer, start: number, end: number): void {
    const { part, taken } = this;
    if (part === Part.Checksum) {
      this.takeWord(bytes, start, end);
      // 2.2.3: it counts as zeros in itself.
      this.crc.update(ZEROS, 0, end - start);
      return;
    }
    this.crc.update(bytes, start, end);
    if (part === Part.Fixed) this.takeFixed(bytes[start]!);
    else if (part === Part.Addresses && taken < KEPT_BYTES) bytes.copy(this.kept, taken, start, end);
    else if (part === Part.TlvHead) this.takeWord(bytes, start, end);
    else if (part === Part.Ssl && this.secure === null) this.secure = (bytes[start]! & CLIENT_SSL) !== 0;
  }

  private takeWord(bytes: Buffer, start: number, end: number): void {
    for (let i = start; i < end; i += 1) this.word = (this.word << 8) | bytes[i]!;
  }

  private takeFixed(byte: number): void {
    const { taken } = this;
    this.kept[taken] = byte;
    const high = byte >> 4;
    const low = byte & 0x0f;
    if (taken < SIGNATURE.length && byte !== SIGNATURE[taken]) this.violation = 'signature';
    // 2.2: only this version may be accepted, and no other commands, families and kinds of sockets.
    else if (taken === COMMAND_AT && high !== VERSION) this.violation = 'version';
    else if (taken === COMMAND_AT && low > Command.Proxy) this.violation = 'command';
    else if (taken === FAMILY_AT && !this.isLocal) {
      if (high > Family.Unix) this.violation = 'family';
      // What came as datagrams is no stream.
      else if (low > Socket.Stream) this.violation = 'transport';
    }
  }

  private endPart(): void {
    switch (this.part) {
      case Part.Fixed:
        this.beginBlock(this.kept.readUInt16BE(LENGTH_AT));
        return;
      case Part.Unread:
        this.header = OF_THE_SOCKET;
        return;
      case Part.TlvHead:
        this.beginValue((this.word >>> 16) & 0xff, this.word & 0xffff);
        return;
      case Part.Checksum:
        this.checksum = this.word >>> 0;
        this.beginTlv();
        return;
      default:
        this.beginTlv();
    }
  }

  private beginBlock(length: number): void {
    const family = this.family;
    this.headerEnd = FIXED_BYTES + length;
    // 2.2: of LOCAL the block is discarded, and where TLVs begin behind addresses of no known form nobody can say.
    if (this.isLocal || !this.isStream || family === Family.Unspecified) this.begin(Part.Unread, length);
    else if (length < ADDRESS_BYTES[family]) this.violation = 'length';
    else this.begin(Part.Addresses, ADDRESS_BYTES[family]);
  }

  private beginTlv(): void {
    const { taken, headerEnd } = this;
    if (taken === this.sslEnd) this.sslEnd = 0;
    if (taken === headerEnd) this.judge();
    else if (this.bytesLeft < TLV_HEAD_BYTES) this.violation = 'tlv_length';
    else this.begin(Part.TlvHead, TLV_HEAD_BYTES);
  }

  private beginValue(type: number, length: number): void {
    const isOuter = this.sslEnd === 0;
    if (length > this.bytesLeft) this.violation = 'tlv_length';
    else if (isOuter && type === Tlv.Crc32c) {
      // A second one would be as good as the first, and none of them is said to count.
      if (this.checksum !== null) this.violation = 'tlv_repeated';
      else if (length !== CRC_BYTES) this.violation = 'tlv_length';
      else this.begin(Part.Checksum, CRC_BYTES);
    } else if (isOuter && type === Tlv.Ssl) {
      if (this.secure !== null) this.violation = 'tlv_repeated';
      else if (length < SSL_BYTES) this.violation = 'tlv_length';
      else {
        this.sslEnd = this.taken + length;
        this.begin(Part.Ssl, SSL_BYTES);
      }
    } else this.begin(Part.TlvValue, length);
  }

  private judge(): void {
    // 2.2.3: a connection whose checksum is another one is invalid.
    if (this.checksum !== null && this.checksum !== this.crc.value) this.violation = 'crc32c';
    else this.header = { source: this.endpoint(0), destination: this.endpoint(1), secure: this.secure };
  }

  /** 0: the source, 1: the destination. Names of unix sockets say nothing here: the client is whoever sent them. */
  private endpoint(index: 0 | 1): Endpoint | null {
    const { kept, family } = this;
    if (family === Family.Inet) {
      const word = kept.readInt32BE(FIXED_BYTES + 4 * index);
      const address = printIp(new IpAddress(4, 0, 0, V4_MAPPED_WORD, word));
      return { address, port: kept.readUInt16BE(FIXED_BYTES + 8 + 2 * index) };
    }
    if (family !== Family.Inet6) return null;
    const at = FIXED_BYTES + 16 * index;
    const words = [0, 4, 8, 12].map((offset) => kept.readInt32BE(at + offset));
    const [word0 = 0, word1 = 0, word2 = 0, word3 = 0] = words;
    const address = printIp(new IpAddress(6, word0, word1, word2, word3));
    return { address, port: kept.readUInt16BE(FIXED_BYTES + 32 + 2 * index) };
  }

  private get isOver(): boolean {
    return this.header !== null || this.violation !== null;
  }

  private get isLocal(): boolean {
    return (this.kept[COMMAND_AT]! & 0x0f) === Command.Local;
  }

  private get isStream(): boolean {
    return (this.kept[FAMILY_AT]! & 0x0f) === Socket.Stream;
  }

  private get family(): 0 | 1 | 2 | 3 {
    const family = this.kept[FAMILY_AT]! >> 4;
    return family === 1 || family === 2 || family === 3 ? family : 0;
  }

  /** Of what holds the next TLV. */
  private get bytesLeft(): number {
    return (this.sslEnd > 0 ? this.sslEnd : this.headerEnd) - this.taken;
  }

  private begin(part: Part, length: number): void {
    this.part = part;
    this.partEnd = this.taken + length;
    this.word = 0;
  }
}
