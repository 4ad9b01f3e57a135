// Declares the `ghost` domain for Playwright's `CDPSession`: `import type {} from './ghost-playwright.js'`, once. It also
// works for `playwright` and `@playwright/test`, whose types are those of `playwright-core`.

import type { Ghost } from './ghost.js';

declare module 'playwright-core' {
  interface CDPSession {
    send<Method extends keyof Ghost.Commands>(method: Method, params?: Ghost.Commands[Method]['params']): Promise<Ghost.Commands[Method]['result']>;
    on<Name extends keyof Ghost.Events>(event: Name, listener: (payload: Ghost.Events[Name]) => void): this;
    once<Name extends keyof Ghost.Events>(event: Name, listener: (payload: Ghost.Events[Name]) => void): this;
    off<Name extends keyof Ghost.Events>(event: Name, listener: (payload: Ghost.Events[Name]) => void): this;
  }
}
