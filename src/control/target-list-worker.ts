// The thread in which a large file of targets is read.

import { parentPort, workerData } from 'node:worker_threads';
import { type TargetListInput, targetListOf } from './target-lists.ts';

// What target-lists.ts gives it.
const input: TargetListInput = workerData;

parentPort?.postMessage(targetListOf(input));
