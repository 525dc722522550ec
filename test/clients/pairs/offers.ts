// What clients offer of permessage-deflate when nobody tells them otherwise.

export interface Offer {
  readonly client: string;
  readonly offer: string;
}

export const OFFERS: readonly Offer[] = [
  { client: 'Boost.Beast', offer: 'permessage-deflate; server_max_window_bits=15; client_max_window_bits=15' },
  { client: 'IXWebSocket', offer: 'permessage-deflate; server_max_window_bits=15; client_max_window_bits=15' },
  { client: 'Starscream', offer: 'permessage-deflate; client_max_window_bits; server_max_window_bits=15' },
  { client: 'gun', offer: 'permessage-deflate; client_max_window_bits; server_max_window_bits=15' },
  { client: 'Chrome', offer: 'permessage-deflate; client_max_window_bits' },
  { client: 'Firefox', offer: 'permessage-deflate' },
  { client: 'gorilla', offer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover' },
];
