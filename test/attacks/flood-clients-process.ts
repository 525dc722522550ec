// Clients in a process of their own that send empty frames without end, as fast as they are taken.

import { answerMessages } from '../../bench/support/child-process.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { binary } from '../support/wire.ts';

export type FloodClientsRequest =
  | { readonly kind: 'flood'; readonly port: number; readonly path: string; readonly count: number }
  | { readonly kind: 'stop' };

export interface FloodClientsReply {
  /** Frames that were taken since the flood began. */
  readonly frames: number;
}

const FRAMES_PER_WRITE = 10_000;
const piece = Buffer.concat(Array<Buffer>(FRAMES_PER_WRITE).fill(binary('', { mask: true })));

// At most the clients of one flood.
const peers: PeerSocket[] = [];
let frames = 0;

answerMessages<FloodClientsRequest, FloodClientsReply>(async (request) => {
  if (request.kind === 'flood') {
    frames = 0;
    for (let i = 0; i < request.count; i++) peers.push(await PeerSocket.open(request.port, request.path));
    for (const peer of peers) send(peer);
  } else for (const peer of peers.splice(0)) peer.socket.destroy();
  return { frames };
});

function send(peer: PeerSocket): void {
  const { socket } = peer;
  if (socket.destroyed || !socket.writable) return;
  socket.write(piece, (error) => {
    if (error != null) return;
    frames += FRAMES_PER_WRITE;
    setImmediate(send, peer);
  });
}
