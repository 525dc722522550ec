import { describe, expect, test } from 'vitest';
import { type Lookup, Resolver } from '../../src/net/resolve.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A look-up that counts, and answers what the test set last. */
class ScriptedLookup {
  readonly asked: string[] = [];
  answer: Lookup = async () => ['192.0.2.1'];
  readonly lookup: Lookup = (host) => {
    this.asked.push(host);
    return this.answer(host);
  };
}

function makeResolver() {
  const clock = new FakeClock();
  const script = new ScriptedLookup();
  return { clock, script, resolver: new Resolver(clock, script.lookup) };
}

describe('name look-up', () => {
  test('addresses come in the order of the system', async () => {
    const { script, resolver } = makeResolver();
    script.answer = async () => ['2001:db8::2', '192.0.2.9', '2001:db8::1'];
    expect(await resolver.resolve('a.test')).toEqual(['2001:db8::2', '192.0.2.9', '2001:db8::1']);
  });

  test('an IP literal is its own address and is never looked up', async () => {
    const { script, resolver } = makeResolver();
    for (const literal of ['127.0.0.1', '::1', '2001:db8::7', 'fe80::1%eth0']) {
      expect(await resolver.resolve(literal)).toEqual([literal]);
    }
    expect(script.asked).toEqual([]);
  });

  test('an answer is kept for 5 s and not longer', async () => {
    const { clock, script, resolver } = makeResolver();
    await resolver.resolve('a.test');
    clock.advance(4_999);
    await resolver.resolve('a.test');
    expect(script.asked).toEqual(['a.test']);
    clock.advance(1);
    script.answer = async () => ['192.0.2.2'];
    expect(await resolver.resolve('a.test')).toEqual(['192.0.2.2']);
    expect(script.asked).toEqual(['a.test', 'a.test']);
  });

  test('a failure is kept for 1 s and not longer, and keeps its code', async () => {
    const { clock, script, resolver } = makeResolver();
    script.answer = async () => {
      throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    };
    await expect(resolver.resolve('a.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    clock.advance(999);
    await expect(resolver.resolve('a.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(script.asked.length).toBe(1);
    clock.advance(1);
    script.answer = async () => ['192.0.2.3'];
    expect(await resolver.resolve('a.test')).toEqual(['192.0.2.3']);
  });

  test('no address at all is a failure', async () => {
    const { script, resolver } = makeResolver();
    script.answer = async () => [];
    await expect(resolver.resolve('a.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('a look-up that throws at once is a failure too', async () => {
    const { script, resolver } = makeResolver();
    script.answer = () => {
      throw new TypeError('bad name');
    };
    await expect(resolver.resolve('a.test')).rejects.toThrow('bad name');
  });

  test('one look-up runs per name, however many wait and however long it takes', async () => {
    const { clock, script, resolver } = makeResolver();
    let finish: (addresses: string[]) => void = () => {};
    script.answer = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const first = resolver.resolve('slow.test');
    clock.advance(60_000);
    const second = resolver.resolve('slow.test');
    finish(['192.0.2.4']);
    expect(await first).toEqual(['192.0.2.4']);
    expect(await second).toEqual(['192.0.2.4']);
    expect(script.asked).toEqual(['slow.test']);
    // Its 5 s begin when it ends, not when it began.
    clock.advance(4_999);
    await resolver.resolve('slow.test');
    expect(script.asked).toEqual(['slow.test']);
  });

  test('1024 names are remembered, the one asked longest ago makes room', async () => {
    const { script, resolver } = makeResolver();
    for (let i = 0; i < 1_024; i++) await resolver.resolve(`n${i}.test`);
    await resolver.resolve('n0.test');
    expect(script.asked.length).toBe(1_024);
    await resolver.resolve('one-more.test');
    await resolver.resolve('n1.test');
    expect(script.asked.length).toBe(1_025);
    await resolver.resolve('n0.test');
    expect(script.asked.length).toBe(1_026);
  });

  test('the system answers for localhost', async () => {
    const resolver = new Resolver(new FakeClock());
    const addresses = await resolver.resolve('localhost');
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(['127.0.0.1', '::1']).toContain(address);
  });
});
