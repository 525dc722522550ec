// Why a session ended, for people: for each cause a sentence, and what to change if that was not meant. Pure; what it
// quotes of a config or a peer is escaped by whoever prints it.

import type { NearLimit } from '../admin/subject.ts';
import { durationText, exactSizeText, groupedText, sizeText } from '../observe/quantities.ts';
import { NO_STATUS } from '../protocol/close-codes.ts';
import type { EndCause, Side } from '../protocol/end-causes.ts';
import type { SessionStory } from './session-story.ts';

interface EndText {
  sentence(story: SessionStory): string;
  change(story: SessionStory): readonly string[];
}

/** What ended it and what goes with that; of an open session how it stands. */
export function sentenceOf(story: SessionStory): string {
  if (story.cause === null) return openSentence(story);
  const parts = [TEXTS[story.cause].sentence(story)];
  if (story.midFrame) parts.push('A connection was cut inside a frame, which no Close can follow.');
  for (const side of story.silent) parts.push(`The ${side} did not answer its Close within timeouts.close.`);
  return parts.join(' ');
}

export function changesFor(story: SessionStory): readonly string[] {
  return story.cause === null ? [] : TEXTS[story.cause].change(story);
}

function openSentence({ view, near: [nearest] }: SessionStory): string {
  const state =
    view.state === 'paused' ? 'It is open, and one side is not read since the other takes nothing.' : 'It is open.';
  return nearest === undefined ? state : `${state} Nearest to its end is ${nearest.key}, ${usedText(nearest)}.`;
}

const MEANS: Readonly<Record<number, string>> = {
  1000: 'all is done',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'data that it does not take',
  1007: 'data that is not what it says',
  1008: 'policy',
  1009: 'message too big',
  1010: 'an extension is missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
  3000: 'unauthorized',
  3003: 'forbidden',
};

function codeText(code: number | null): string {
  if (code === null || code === NO_STATUS) return 'without a code';
  const means = MEANS[code] ?? (code >= 4000 ? "the application's own" : 'registered');
  return `with ${code} (${means})`;
}

const other = (side: Side): Side => (side === 'client' ? 'backend' : 'client');
const named = (side: Side, { view }: SessionStory) =>
  side === 'client' ? 'The client' : `The backend, target ${view.target},`;
const flowOf = (side: Side) => (side === 'client' ? 'from_client' : 'from_backend');

/** Of the limit that ended it; null when there is none. */
const useOf = ({ near, limit }: SessionStory): NearLimit | null => near.find(({ key }) => key === limit) ?? null;

function amount(value: number, unit: NearLimit['unit']): string {
  if (unit === 'ms') return durationText(value);
  return unit === 'bytes' ? exactSizeText(value) : groupedText(value);
}

function usedText({ unit, used, limit, share }: NearLimit): string {
  return `${amount(used, unit)} of ${amount(limit, unit)} (${Math.round(share * 100)} %)`;
}

/** `30s (timeouts.pong)`: how long it was allowed to last. */
function allowed(story: SessionStory): string {
  const use = useOf(story);
  return use === null ? (story.limit ?? '') : `${amount(use.limit, use.unit)} (${use.key})`;
}

/** What "framegate advise" knows of. */
const ADVISED =
  /(max_message_size|max_fragments|messages_per_second|bytes_per_second|idle|_stall|slow_reader|lifetime)$/;

function raise({ limit, view }: SessionStory, or = ''): string {
  const advice = ADVISED.test(limit ?? '')
    ? `: "framegate advise --route ${shellWord(view.route)}" says what each value would have cut`
    : '';
  return `Raise ${limit} for route ${view.route}${or}${advice}.`;
}

/** A path as a name may have braces and stars. */
function shellWord(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function closed(side: Side): EndText {
  return {
    sentence(story) {
      const code = side === 'client' ? story.codeBackend : story.code;
      return `${named(side, story)} closed it ${codeText(code)}; its Close was relayed.`;
    },
    change: (story) => [
      `Nothing in framegate: ${side === 'client' ? 'the client' : `the log of target ${story.view.target}`} says why.`,
    ],
  };
}

function lost(side: Side): EndText {
  return {
    sentence(story) {
      const how = story.lostBy === null ? 'ended with a FIN' : `was lost (${story.lostBy})`;
      const whose =
        side === 'client' ? "The client's connection" : `The connection to the backend, target ${story.view.target},`;
      return `${whose} ${how} without a Close, ${durationText(silence(side, story))} after its last byte.`;
    },
    change(story) {
      const key = `timeouts.${side}_ping_interval`;
      const between = `If always after the same silence, something in between gives up: set ${key} below that time.`;
      if (side === 'backend')
        return [`The log of target ${story.view.target} says whether it crashed or was restarted.`, between];
      return ['Clients that are killed or change networks do this; a page that is left sends a Close.', between];
    },
  };
}

const silence = (side: Side, { view }: SessionStory) => view[flowOf(side)].silent_ms;

function protocolError(side: Side): EndText {
  return {
    sentence: (story) => {
      const what =
        story.rule === null ? '' : `: ${story.rule.text} (RFC 6455 ${story.rule.rfc.replace('; ', '; RFC ')})`;
      return `${named(side, story)} sent a bad frame${what}.`;
    },
    change: () => [`Mend the ${side}: framegate passes on legal frames only, and no key switches that off.`],
  };
}

function tooBig(side: Side): EndText {
  return {
    sentence(story) {
      const use = useOf(story);
      const what = story.limit?.endsWith('max_frame_size') === true ? 'a frame' : 'a message';
      const sizes = use === null ? '' : ` of ${groupedText(use.used)} bytes, over ${groupedText(use.limit)}`;
      return `${named(side, story)} sent ${what}${sizes} (${story.limit}).`;
    },
    change: (story) => [raise(story), `Or let the ${side} send smaller messages.`],
  };
}

function tooManyFragments(side: Side): EndText {
  return {
    sentence: (story) => `${named(side, story)} cut a message into more fragments than ${allowed(story)}.`,
    change: (story) => [raise(story), `Or let the ${side} send larger fragments.`],
  };
}

function notUtf8(side: Side): EndText {
  return {
    sentence: (story) =>
      story.rule === null
        ? `${named(side, story)} sent text that is not UTF-8, and limits.${flowOf(side)}.validate_utf8 is on.`
        : `${named(side, story)} sent a Close whose reason is not UTF-8.`,
    change: (story) => [
      `Mend the ${side}: what is not UTF-8 belongs in binary messages (RFC 6455 8.1).`,
      ...(story.rule === null ? [`Or pass it on unread: limits.${flowOf(side)}.validate_utf8: off.`] : []),
    ],
  };
}

function tooFast(side: Side): EndText {
  return {
    sentence: (story) => `${named(side, story)} sent more than ${story.limit} allows${burstText(useOf(story))}.`,
    change(story) {
      if (story.limit?.endsWith('control_frames_per_second') === true)
        return [raise(story), `Pings and pongs that nobody asked for count, so the ${side} may ping too often.`];
      const quota = side === 'client' && story.view.identity !== null ? `, or the quota of ${story.view.identity}` : '';
      return [raise(story, quota), `Or slow it down instead: limits.${flowOf(side)}.on_rate_exceeded: pause.`];
    },
  };
}

function burstText(use: NearLimit | null): string {
  return use === null ? '' : `: its burst of ${amount(use.limit, use.unit)} was used up`;
}

function stalledMessage(side: Side): EndText {
  return {
    sentence: (story) => `${named(side, story)} began a message and sent no more of it for ${allowed(story)}.`,
    change: (story) => [
      raise(story),
      `Or see why the ${side} stops in the middle: a slow line, or data that it waits for itself.`,
    ],
  };
}

/** What waited for that side is what the other one had sent. */
const waiting = (side: Side, { view }: SessionStory) => sizeText(view[flowOf(other(side))].buffered);

function stalled(side: Side): EndText {
  return {
    sentence: (story) =>
      `${named(side, story)} took nothing for ${allowed(story)} while ${waiting(side, story)} waited for it.`,
    change: (story) => [`See why the ${side} does not read: it hangs, or its network is gone.`, raise(story)],
  };
}

function slow(side: Side): EndText {
  return {
    sentence: (story) =>
      `Data waited for the ${side} without a break for ${allowed(story)}: it reads more slowly than the ` +
      `${other(side)} sends.`,
    change: (story) => [`Let the ${other(side)} send less, or see why the ${side} reads slowly.`, raise(story)],
  };
}

function silent(side: Side): EndText {
  return {
    sentence: (story) => `${named(side, story)} gave no sign of life for ${allowed(story)} after a ping.`,
    change: (story) => [
      `The ${side}, or the network to it, was gone without a FIN: no key keeps such a session.`,
      raise(story),
    ],
  };
}

const reload = 'The log line config.loaded of that time says what changed.';

const TEXTS: Readonly<Record<EndCause, EndText>> = {
  client_close: closed('client'),
  backend_close: closed('backend'),
  client_lost: lost('client'),
  backend_lost: lost('backend'),
  client_protocol_error: protocolError('client'),
  backend_protocol_error: protocolError('backend'),
  client_message_too_big: tooBig('client'),
  backend_message_too_big: tooBig('backend'),
  client_too_many_fragments: tooManyFragments('client'),
  backend_too_many_fragments: tooManyFragments('backend'),
  client_invalid_utf8: notUtf8('client'),
  backend_invalid_utf8: notUtf8('backend'),
  client_rate: tooFast('client'),
  backend_rate: tooFast('backend'),
  client_message_stall: stalledMessage('client'),
  backend_message_stall: stalledMessage('backend'),
  client_stalled: stalled('client'),
  backend_stalled: stalled('backend'),
  client_slow: slow('client'),
  backend_slow: slow('backend'),
  client_pong_timeout: silent('client'),
  backend_pong_timeout: silent('backend'),
  overload: {
    sentence: ({ view, limit }) =>
      (limit === 'limits.max_memory'
        ? 'The process took over 95 % of limits.max_memory, and this session held the most for a slow reader: '
        : 'What waited in all sessions together was over limits.max_buffered_total, and this one held the most: ') +
      `${sizeText(view.from_client.buffered + view.from_backend.buffered)}.`,
    change: ({ limit }) => [
      `Raise ${limit} as far as the memory allows, or lower limits.max_buffered of each session.`,
      'timeouts.slow_reader ends those earlier that hold much for long.',
    ],
  },
  idle: {
    sentence: (story) => `Neither side sent a byte for ${allowed(story)}.`,
    change: (story) => [raise(story), 'Or let one side send now and then: a ping is enough.'],
  },
  drain: {
    sentence: () => 'framegate was told to stop, and closed all sessions.',
    change: () => [
      'Who told it is in the log: drain.begin, and admin.action when it came through the admin listener.',
      'Clients should reconnect on this code; drain.spread says over how long they are sent away.',
    ],
  },
  lifetime: {
    sentence: (story) => `It had lived for ${allowed(story)}, or up to a tenth less.`,
    change: (story) => [raise(story), 'Clients should reconnect on this code.'],
  },
  route_removed: {
    sentence: ({ view }) => `A reload has no route ${view.route} any more.`,
    change: ({ view }) => [
      `A route is known by its name: a route ${view.route} that is only changed keeps its sessions.`,
      reload,
    ],
  },
  target_removed: {
    sentence: ({ view }) =>
      `Target ${view.target} of upstream ${view.upstream} is gone from the config or from discovery.`,
    change: ({ view }) => [
      `Sessions stay on targets that are gone with upstreams.${view.upstream}.on_gone: keep.`,
      reload,
    ],
  },
  target_drain: {
    sentence: ({ view }) =>
      `Target ${view.target} of upstream ${view.upstream} was drained: by an operator, or by checks that took it down.`,
    change: ({ view }) => [
      'The log line target.down says which: why is admin or check.',
      `After checks sessions stay with upstreams.${view.upstream}.health.on_down: keep.`,
    ],
  },
  rebalance: {
    sentence: ({ view }) => `Target ${view.target} held more than its share of sessions, and others had room.`,
    change: ({ view }) => [
      `upstreams.${view.upstream}.rebalance says how many are moved and how old they must be; without it none is.`,
    ],
  },
  credential_expired: {
    sentence: ({ view }) => `The credential that let it in (${whom(view)}) has come to its end.`,
    change: ({ view }) => [
      `auth.${view.auth}.*.bind: off lets sessions outlive it; "framegate extend" one of them.`,
      'Or issue credentials that last longer; the client should come again with a fresh one.',
    ],
  },
  credential_revoked: {
    sentence: ({ view }) => `The credential that let it in (${whom(view)}) was revoked, or left the config.`,
    change: () => ['The log says which: admin.action with revoke, or config.loaded.'],
  },
  admin: {
    sentence: ({ reason }) => `An operator closed it${reason === null ? '' : `: "${reason}"`}.`,
    change: () => ['The log line admin.action of that time says from where.'],
  },
  internal_error: {
    sentence: () => 'A fault of framegate itself ended it.',
    change: () => ['The log line session.fault of this session has the details: please report it.'],
  },
  forced: {
    sentence: () => 'It was cut off: framegate had to end at once, by a second signal or at the end of drain.timeout.',
    change: () => ['Give a drain more time: drain.timeout, and as much to whatever stops the process.'],
  },
};

function whom({ auth, identity }: SessionStory['view']): string {
  return identity === null ? `method ${auth}` : `${auth}/${identity}`;
}
