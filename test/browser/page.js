// Runs in every page of the tests, before anything else: its sockets by number, and what happened to each, in order.

(() => {
  // The machine may have other things to do; what takes longer is not going to come.
  const DEADLINE_MS = 20_000;
  const sockets = [];

  function open(url, protocols) {
    const socket = new WebSocket(url, protocols);
    const kept = { socket, opened: null, messages: [], closed: null, waiting: new Set() };
    const happened = () => {
      for (const attempt of [...kept.waiting]) attempt();
    };
    socket.onopen = () => {
      kept.opened = { protocol: socket.protocol, extensions: socket.extensions };
      happened();
    };
    socket.onmessage = ({ data }) => {
      kept.messages.push(data);
      happened();
    };
    socket.onclose = ({ code, reason, wasClean }) => {
      kept.closed = { code, reason, wasClean, opened: kept.opened !== null };
      happened();
    };
    return sockets.push(kept) - 1;
  }

  function until(id, what, look) {
    const kept = sockets[id];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        kept.waiting.delete(attempt);
        reject(new Error(`no ${what} in time; closed: ${JSON.stringify(kept.closed)}`));
      }, DEADLINE_MS);
      const attempt = () => {
        const value = look(kept);
        if (value === null) return;
        kept.waiting.delete(attempt);
        clearTimeout(timer);
        resolve(value);
      };
      kept.waiting.add(attempt);
      attempt();
    });
  }

  /** Bytes that do not repeat soon, the same ones each time. */
  function bytesOf(size) {
    const bytes = new Uint8Array(size);
    for (let index = 0, state = 1; index < size; index += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[index] = state >>> 24;
    }
    return bytes;
  }

  async function digestOf(buffer) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', buffer));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  globalThis.sockets = {
    open,
    settled: (id) => until(id, 'open or close', (kept) => kept.opened ?? kept.closed),
    closed: (id) => until(id, 'close', (kept) => kept.closed),
    next: async (id) => {
      const data = await until(id, 'message', (kept) => kept.messages.shift() ?? null);
      if (typeof data === 'string') return { kind: 'text', data };
      return { kind: 'binary', size: data.size, sha256: await digestOf(await data.arrayBuffer()) };
    },
    send: (id, text) => sockets[id].socket.send(text),
    sendBytes: (id, values) => sockets[id].socket.send(Uint8Array.from(values)),
    sendBlob: (id, size) => {
      const bytes = bytesOf(size);
      sockets[id].socket.send(new Blob([bytes]));
      return digestOf(bytes);
    },
    close: (id, code, reason) => sockets[id].socket.close(code, reason),
  };
})();
