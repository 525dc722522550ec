// The check of type http: a GET whose status is one of those wanted.

import { askHttp, HttpError } from '../../net/http-client.ts';
import { type Check, CheckError, type CheckTask } from './check.ts';
import { askedFields, askedHost, askedPath } from './request.ts';

/** Of an answer that is read, so that whoever sends it sees it taken. */
const BODY_BYTES_MAX = 65_536;

export const httpCheck: Check = async (task, settings, transport) => {
  const { clock, wheel, deadline, signal, host } = task;
  const path = askedPath(task, settings);
  const headers = { Host: askedHost(task, settings), ...Object.fromEntries(askedFields(settings)) };
  const headBytesMax = host.config.max_head_size;
  const ask = { transport, clock, wheel, deadline, signal, path, headers, headBytesMax, bodyBytesMax: BODY_BYTES_MAX };
  const { status, left } = await askHttp(ask).catch((error: unknown) => {
    throw error instanceof HttpError ? checkErrorOf(error, task) : error;
  });
  const isGood = settings.expect_status.some(({ from, to }) => status >= from && status <= to);
  if (!isGood) throw new CheckError('status', `${status}`, left);
  return { left };
};

function checkErrorOf({ fault, message, left }: HttpError, { signal }: CheckTask): CheckError {
  if (signal.aborted) return new CheckError('aborted', message, left);
  return new CheckError(fault === 'late' ? 'backend_timeout' : 'backend_handshake', message, left);
}
