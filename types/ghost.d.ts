// Written by `ghostmux ghost-types`; change fixtures/ghost.json instead.
//
// The shapes alone. Puppeteer's `CDPSession` learns of them from ghost-puppeteer.d.ts, Playwright's from ghost-playwright.d.ts.

/** Sessions that outlive their socket. A session is what a client gets from ghostmux: a virtual browser with an id, an owner, a state and deadlines; a socket is only how somebody looks at it. Answered on any root connection (a frame without `sessionId`, or on a CDP session of `Target.attachToBrowserTarget`). */
export namespace Ghost {

  /** `queued`: it waits for a place in a browser. `active`: it has a client. `parked`: the socket is gone, its pages run on. `closed`: it is over, and stays so. */
  type SessionState = 'queued' | 'active' | 'parked' | 'closed';

  /** `timeout`: time since the session began. `idleTimeout`: time since a client last sent a frame, while one is connected; what Chrome sends is not life. `keepAlive`: time since the last socket went. */
  type Deadline = 'timeout' | 'idleTimeout' | 'keepAlive';

  /** What its owner wants to remember of a session: string values under string keys, at most 4 KiB as JSON. Never looked into. */
  type Metadata = Record<string, string>;

  /** A span of time, in milliseconds. For `timeout` and `idleTimeout` 0 means without limit; for `keepAlive` 0 means that the session ends with its last socket. */
  type Milliseconds = number;

  /** A session as its owner sees it. */
  interface Session {
    /** Its id, by which one comes back to it. */
    id: string;
    state: SessionState;
    /** Where to connect to come back to it. */
    webSocketDebuggerUrl: string;
    /** As its owner calls it; need not be unique. At most 200 characters. */
    name?: string;
    metadata?: Metadata;
    /** When it began, in milliseconds since 1970-01-01 UTC. */
    createdAt: number;
    timeout: Milliseconds;
    idleTimeout: Milliseconds;
    keepAlive: Milliseconds;
    /** When the first of its deadlines that run now ends it, in milliseconds since 1970-01-01 UTC; absent if none runs. */
    expiresAt?: number;
    /** Which deadline that is. */
    expiresBy?: Deadline;
    /** Sockets connected to it now, page sockets included. */
    clients: number;
    /** Number of the browser it is in; absent while it waits for a place. */
    browser?: number;
  }

  /** A socket on a session. */
  interface Client {
    /** Its number in the session. */
    id: number;
    /** The page it speaks to; absent for a browser-level client. */
    targetId?: string;
  }

  /** What a session has used since it began. */
  interface Usage {
    /** Time since it began. */
    wallTime: Milliseconds;
    /** Frames from its clients. */
    framesIn: number;
    /** Frames to its clients. */
    framesOut: number;
    /** Bytes of these frames from its clients. */
    bytesIn: number;
    /** Bytes of these frames to its clients. */
    bytesOut: number;
    /** Commands among the frames from its clients. */
    commands: number;
    /** Events among the frames to its clients. */
    events: number;
    /** Pages open now. */
    pages: number;
    /** Most pages open at a time. */
    pagesMost: number;
    /** Bytes of JavaScript heap in use in its pages now. Pages that do not answer within 2 s, because they are busy or paused, are left out here and below. */
    jsHeapUsed?: number;
    /** DOM nodes of its pages now. */
    domNodes?: number;
    /** Processor time of the renderers of the pages that are open now, since each began, to 10 ms. Frames in a renderer of their own and pages that are closed are not in it. */
    cpuTime?: Milliseconds;
  }

  /** Of `ghost.enable`. */
  interface EnableParams {
    /** How long before a deadline `sessionExpiring` is sent. 30 s if absent. */
    expiringNotice?: Milliseconds;
  }

  /** Of `ghost.getSession`. */
  interface GetSessionParams {
    /** Which; this connection's if absent. */
    id?: string;
  }

  /** Of `ghost.getSession`. */
  interface GetSessionResult {
    session: Session;
  }

  /** Of `ghost.listSessions`. */
  interface ListSessionsParams {
    /** Only those in this state. */
    state?: SessionState;
    /** Only those of this name. */
    name?: string;
    /** Only those that have all of this. */
    metadata?: Metadata;
    /** At most so many, 1 to 1000; 100 if absent. */
    limit?: number;
    /** What the page before this one gave as `next`. */
    cursor?: string;
  }

  /** Of `ghost.listSessions`. */
  interface ListSessionsResult {
    sessions: Session[];
    /** For the next page; absent on the last. */
    next?: string;
  }

  /** Of `ghost.createSession`. */
  interface CreateSessionParams {
    /** An id of one's own choice that was never used here: 8 to 64 characters of A-Z a-z 0-9 . _ -. Chosen by the server if absent. */
    id?: string;
    name?: string;
    metadata?: Metadata;
    timeout?: Milliseconds;
    idleTimeout?: Milliseconds;
    /** How long it waits for a client to come (back). The server's default for sessions made so if absent. */
    keepAlive?: Milliseconds;
  }

  /** Of `ghost.createSession`. */
  interface CreateSessionResult {
    session: Session;
  }

  /** Of `ghost.updateSession`. */
  interface UpdateSessionParams {
    /** Which; this connection's if absent. */
    id?: string;
    /** An empty one takes it away. */
    name?: string;
    /** Takes the place of what was there. */
    metadata?: Metadata;
    timeout?: Milliseconds;
    idleTimeout?: Milliseconds;
    keepAlive?: Milliseconds;
  }

  /** Of `ghost.updateSession`. */
  interface UpdateSessionResult {
    session: Session;
  }

  /** Of `ghost.closeSession`. */
  interface CloseSessionParams {
    /** Which; this connection's if absent. */
    id?: string;
  }

  /** Of `ghost.park`. */
  interface ParkParams {
    /** Which; this connection's if absent. */
    id?: string;
    /** Changed to this first, if given. A session without any is given the server's default for it. */
    keepAlive?: Milliseconds;
  }

  /** Of `ghost.park`. */
  interface ParkResult {
    session: Session;
  }

  /** Of `ghost.getUsage`. */
  interface GetUsageParams {
    /** Which; this connection's if absent. */
    id?: string;
  }

  /** Of `ghost.getUsage`. */
  interface GetUsageResult {
    usage: Usage;
  }

  /** Of `ghost.sessionExpiring`. */
  interface SessionExpiringEvent {
    deadline: Deadline;
    remaining: Milliseconds;
  }

  /** Of `ghost.sessionUpdated`. */
  interface SessionUpdatedEvent {
    session: Session;
  }

  /** Of `ghost.clientAttached`. */
  interface ClientAttachedEvent {
    client: Client;
  }

  /** Of `ghost.clientDetached`. */
  interface ClientDetachedEvent {
    client: Client;
    /** Why, if it did not simply go. */
    reason?: string;
  }

  /** Of `ghost.browserLost`. */
  interface BrowserLostEvent {
    reason: string;
  }

  /** Every command: what it takes and what it answers. */
  interface Commands {
    /** Turns this domain's events on, for the CDP session it is sent on. */
    'ghost.enable': { params: EnableParams; result: {} };
    /** Turns this domain's events off. */
    'ghost.disable': { params: undefined; result: {} };
    /** The session of this connection, or another of the same owner. */
    'ghost.getSession': { params: GetSessionParams; result: GetSessionResult };
    /** The sessions of this owner, oldest first. */
    'ghost.listSessions': { params: ListSessionsParams; result: ListSessionsResult };
    /** A new session, parked until somebody connects to it. */
    'ghost.createSession': { params: CreateSessionParams; result: CreateSessionResult };
    /** Changes what is given of a live session; a deadline that is changed counts from where it counted before. */
    'ghost.updateSession': { params: UpdateSessionParams; result: UpdateSessionResult };
    /** Ends a session with all its pages. Its clients are sent away with close code 1000, after the answer. */
    'ghost.closeSession': { params: CloseSessionParams; result: {} };
    /** Parks a session: its clients are sent away with close code 1000 and the URL to come back to as reason, after the answer; its pages run on for `keepAlive`. */
    'ghost.park': { params: ParkParams; result: ParkResult };
    /** What a session has used. */
    'ghost.getUsage': { params: GetUsageParams; result: GetUsageResult };
  }

  /** Every event: what it tells. */
  interface Events {
    /** A deadline will end the session soon; `updateSession` moves it, and a frame of a client's moves `idleTimeout`. */
    'ghost.sessionExpiring': SessionExpiringEvent;
    /** Something of the session changed: its state, deadlines, name or metadata. */
    'ghost.sessionUpdated': SessionUpdatedEvent;
    /** Another socket joined the session. */
    'ghost.clientAttached': ClientAttachedEvent;
    /** Another socket left the session. */
    'ghost.clientDetached': ClientDetachedEvent;
    /** The browser of this session is lost, and the session with it; the socket is closed with 1011 after this. */
    'ghost.browserLost': BrowserLostEvent;
  }
}
