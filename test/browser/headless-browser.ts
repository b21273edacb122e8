import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** The program, as Debian's package of that name has it. */
export const browserProgram = 'chromium-headless-shell';

/** A page in a browser without a window. */
export interface BrowserPage {
  /** Runs an expression in the page, and gives what it, or its promise, comes to, as JSON can say it. */
  evaluate(expression: string): Promise<unknown>;
}

/** A browser without a window. Disposing ends it. */
export interface HeadlessBrowser extends AsyncDisposable {
  open(url: string): Promise<BrowserPage>;
}

/** Starts Chromium. Its sandbox, which root cannot have, is off: it only gets pages of tests. */
export async function startBrowser(): Promise<HeadlessBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'varve-'));
  const options = ['--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', `--user-data-dir=${profile}`];
  const browser = spawn(browserProgram, [...options, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const exit = once(browser, 'exit');
  const [, , , input, output] = browser.stdio as [null, null, null, Writable, Readable];
  const tools = connectTools(input, output);
  return {
    async open(url) {
      const { targetId } = await tools.call('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await tools.call('Target.attachToTarget', { targetId, flatten: true });
      await tools.call('Page.enable', {}, sessionId);
      const loaded = tools.event('Page.loadEventFired', sessionId);
      await tools.call('Page.navigate', { url }, sessionId);
      await loaded;
      return { evaluate: (expression) => evaluate(tools, sessionId, expression) };
    },
    async [Symbol.asyncDispose]() {
      // It ends where nobody holds the other end of its pipes, also when that is because the test was killed.
      input.end();
      await exit;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the protocol's answers are what they are, and a test only looks at some.
type Answer = any;

/** Chromium's own protocol for its tools, by which programs steer it. */
interface BrowserTools {
  call(method: string, params: object, sessionId?: string): Promise<Answer>;
  event(method: string, sessionId: string): Promise<void>;
}

/** Messages are JSON, with a NUL behind each. */
function connectTools(input: Writable, output: Readable): BrowserTools {
  const answers = new Map<number, PromiseWithResolvers<Answer>>();
  const events = new Map<string, () => void>();
  let count = 0;
  let rest = '';
  const take = (message: string): void => {
    const { error, id, method, result, sessionId } = JSON.parse(message);
    if (id === undefined) events.get(`${sessionId} ${method}`)?.();
    else if (error === undefined) answers.get(id)?.resolve(result);
    else answers.get(id)?.reject(new Error(error.message));
    answers.delete(id);
  };
  output.setEncoding('utf8');
  output.on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop()!;
    messages.forEach(take);
  });
  output.on('close', () => {
    for (const { reject } of answers.values()) reject(new Error(`${browserProgram} has ended`));
  });
  // Its end shows in what comes from it.
  input.on('error', () => {});
  return {
    call(method, params, sessionId) {
      count += 1;
      const answer = Promise.withResolvers<Answer>();
      answers.set(count, answer);
      input.write(`${JSON.stringify({ id: count, method, params, sessionId })}\0`);
      return answer.promise;
    },
    event: (method, sessionId) => new Promise((resolve) => events.set(`${sessionId} ${method}`, resolve)),
  };
}

async function evaluate(tools: BrowserTools, sessionId: string, expression: string): Promise<unknown> {
  const params = { expression, awaitPromise: true, returnByValue: true };
  const { exceptionDetails, result } = await tools.call('Runtime.evaluate', params, sessionId);
  if (exceptionDetails === undefined) return result.value;
  throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
}
