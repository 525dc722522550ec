// Asks the admin listener, with the token that the reader typed. The token lives in this object and nowhere else: not
// in a URL, a cookie or any storage, so it is gone with the tab.

/** An answer takes no longer, or the listener is away. */
const DEADLINE_MS = 10_000;

/** An answer that is none of what was asked for. `error` is the listener's word; `unreachable`: no answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly error: string;
  /** Of a config that was not taken. */
  readonly problems: readonly unknown[];

  constructor(status: number, error: string, message: string, problems: readonly unknown[] = []) {
    super(message);
    this.status = status;
    this.error = error;
    this.problems = problems;
  }
}

type Parameters = Readonly<Record<string, string | number | null>>;

export class Api {
  private token: string | null = null;
  private readonly onLocked: () => void;

  /** `onLocked`: whenever an answer says that the token is missing or wrong. */
  constructor(onLocked: () => void) {
    this.onLocked = onLocked;
  }

  get hasToken(): boolean {
    return this.token !== null;
  }

  /** Null forgets it. */
  useToken(token: string | null): void {
    this.token = token;
  }

  async get<T>(path: string, parameters: Parameters = {}): Promise<T> {
    return read(await this.ask('GET', withQuery(path, parameters), AbortSignal.timeout(DEADLINE_MS)));
  }

  async post<T>(path: string, parameters: Parameters = {}): Promise<T> {
    return read(await this.ask('POST', withQuery(path, parameters), AbortSignal.timeout(3 * DEADLINE_MS)));
  }

  /** The body of an answer that has no end; `signal` ends it. */
  async stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.ask('GET', path, signal);
    if (body === null) throw new ApiError(0, 'unreachable', 'the answer has no body');
    return body;
  }

  private async ask(method: string, path: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = this.token === null ? {} : { Authorization: `Bearer ${this.token}` };
    let response: Response;
    try {
      response = await fetch(path, {
        method,
        headers,
        signal,
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error',
      });
    } catch (cause) {
      throw new ApiError(0, 'unreachable', cause instanceof Error ? cause.message : String(cause));
    }
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.status === 401) this.onLocked();
    throw error;
  }
}

async function read<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw new ApiError(0, 'unreachable', cause instanceof Error ? cause.message : String(cause));
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const { status, statusText } = response;
  try {
    const { error, message, problems } = (await response.json()) as Record<string, unknown>;
    const list = Array.isArray(problems) ? problems : [];
    return new ApiError(status, String(error ?? status), String(message ?? statusText), list);
  } catch {
    return new ApiError(status, String(status), statusText);
  }
}

function withQuery(path: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== null && value !== '') query.set(name, String(value));
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** A name as a segment of a path. */
export const segment = (name: string): string => encodeURIComponent(name);

/** What a token may consist of: what a field of HTTP carries as it is. */
export const isToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);
