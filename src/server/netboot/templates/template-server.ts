import { randomHex } from '../../../base/random.ts';
import { VarveError } from '../../../base/varve-error.ts';
import type { FileSource, ServedFile } from '../../files/file-source.ts';
import type { TemplateSettings } from '../room/room.ts';
import { type RenderedTemplate, renderTemplate } from './render-template.ts';
import { problemText } from './template-problem.ts';
import type { TemplateValues } from './template-values.ts';

/** A boot that reads a template. */
export interface TemplateBoot {
  /** `52:54:00:12:34:56` */
  readonly mac: string;
  readonly template: TemplateSettings;
  readonly values: TemplateValues;
}

/** What was made for a boot. */
export interface IssuedTemplate {
  /** `template/TOKEN/`, to be put behind the server's URL. */
  readonly path: string;
  /** What is served there, the main file first. */
  readonly files: readonly string[];
}

/** How long and how many. */
export interface TemplateServerOptions {
  /** An hour where nothing is given: installers of some machines are slow to come that far. */
  readonly lifetimeMs?: number | undefined;
  /** 1,024 where nothing is given; the oldest is forgotten for a new one. */
  readonly maximumTokens?: number | undefined;
  /** As of `performance.now()`. */
  readonly clock?: (() => number) | undefined;
}

/** What has to be known of a request by HTTP: an `HttpEvent` has it. */
export interface TransferSeen {
  readonly method: string;
  readonly name: string;
  readonly status: number;
  /** Why the client does not have it all. */
  readonly failure: string | undefined;
}

interface Issued {
  readonly mac: string;
  readonly source: string;
  readonly files: ReadonlyMap<string, OneTimeFile>;
  readonly expiresMs: number;
}

const prefix = 'template/';
const namePattern = /^\/?template\/([0-9a-f]{32})\/([a-z.-]{1,32})$/;
const tokenBytes = 16;
const usualLifetimeMs = 3_600_000;
const usualTokens = 1024;

/**
 * Serves rendered templates, each file once: whoever has its last byte has used it up. Opening alone does not, so that
 * HEAD and transfers that end early leave it there. A name that was served or has expired is `gone`.
 */
export class TemplateServer implements FileSource {
  readonly #issued = new Map<string, Issued>();
  readonly #lifetimeMs: number;
  readonly #maximumTokens: number;
  readonly #clock: () => number;

  constructor({ lifetimeMs, maximumTokens, clock }: TemplateServerOptions = {}) {
    this.#lifetimeMs = lifetimeMs ?? usualLifetimeMs;
    this.#maximumTokens = maximumTokens ?? usualTokens;
    this.#clock = clock ?? (() => performance.now());
  }

  /**
   * Renders a template for a boot that begins. What was made of it for the machine's boot before is gone.
   *
   * @throws VarveError `INVALID` naming file and line
   */
  issue({ mac, template, values }: TemplateBoot): IssuedTemplate {
    const rendered = requireGood(renderTemplate(template, values));
    this.#forgetOld(mac, template.file);
    const files = new Map(rendered.files.map(({ name, text }) => [name, new OneTimeFile(Buffer.from(text))]));
    const token = randomHex(tokenBytes);
    this.#issued.set(token, { mac, source: template.file, files, expiresMs: this.#clock() + this.#lifetimeMs });
    return { path: `${prefix}${token}/`, files: [...files.keys()] };
  }

  /** `template/TOKEN/preseed.cfg`, with or without a `/` before it. */
  open(name: string): ServedFile | 'gone' | undefined {
    const [, token, file] = namePattern.exec(name) ?? [];
    if (token === undefined) return undefined;
    const issued = this.#issued.get(token);
    if (issued === undefined || issued.expiresMs <= this.#clock()) {
      this.#issued.delete(token);
      return 'gone';
    }
    const found = issued.files.get(file!);
    return found?.isUsedUp ? 'gone' : found?.open();
  }

  /**
   * To be told of each request by HTTP that was answered: where the client went away before it had all of a file that was
   * read to its end, it can be had once more.
   */
  noteTransfer({ failure, method, name, status }: TransferSeen): void {
    if (failure === undefined || method !== 'GET' || status >= 300) return;
    const [, token, file] = namePattern.exec(name) ?? [];
    if (token !== undefined) this.#issued.get(token)?.files.get(file!)?.giveBack();
  }

  #forgetOld(mac: string, source: string): void {
    const now = this.#clock();
    for (const [token, issued] of this.#issued) {
      const isReplaced = issued.mac === mac && issued.source === source;
      if (isReplaced || issued.expiresMs <= now) this.#issued.delete(token);
    }
    while (this.#issued.size >= this.#maximumTokens) this.#issued.delete(this.#issued.keys().next().value!);
  }
}

function requireGood(rendered: RenderedTemplate): RenderedTemplate {
  const [problem] = rendered.problems;
  if (problem !== undefined) throw new VarveError('INVALID', `cannot render a template: ${problemText(problem)}`);
  return rendered;
}

/** An aborted transfer is given back a few times, not for ever. */
const mostGivenBack = 3;

class OneTimeFile {
  #content: Uint8Array;
  #givenBackCount = 0;
  isUsedUp = false;

  constructor(content: Uint8Array) {
    this.#content = content;
  }

  giveBack(): void {
    this.#givenBackCount += 1;
    if (this.#givenBackCount <= mostGivenBack) this.isUsedUp = false;
  }

  open(): ServedFile {
    const content = this.#content;
    let hasTaken = false;
    return {
      size: content.length,
      read: (target, offset) => {
        // Of two that opened it together, the one that is through first has it.
        if (this.isUsedUp && !hasTaken)
          throw new VarveError('NOT_FOUND', 'cannot read on: this file was served already');
        target.set(content.subarray(offset, offset + target.length));
        if (offset + target.length < content.length) return;
        hasTaken = true;
        this.isUsedUp = true;
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }
}
