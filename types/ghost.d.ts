// Written by `make types` from the Rust types in src/api_types/, which are what to change.
//
// The shapes alone. Puppeteer's `CDPSession` learns of them from ghost-puppeteer.d.ts, Playwright's from
// ghost-playwright.d.ts.

/** Sessions that outlive their socket. A session is what a client gets from ghostmux: a virtual browser with an id, an owner, a state and deadlines. Sockets connect to it and leave it. The domain is answered on any root connection (a frame without `sessionId`, or on a CDP session of `Target.attachToBrowserTarget`). */
export namespace Ghost {

  /** A duration in milliseconds. For `timeout` and `idleTimeout` 0 means no limit; for `keepAlive` 0 means that the session ends with its last socket; for `hibernateAfter` and `autosave` 0 means never, for `keepFiles` that files are removed with the session. */
  type Milliseconds = number;

  /** The state of a session. `queued`: waits for a place in a browser. `active`: has a client. `parked`: has no client; its pages run on. `hibernated`: is saved and in no browser, because it was parked for long, or because its browser or its server failed while it had `autosave`; connecting to it restores it. `closed`: has ended and cannot be restored. */
  type SessionState = 'queued' | 'active' | 'parked' | 'hibernated' | 'closed';

  /** What the owner stores with a session or snapshot: string values under string keys, none of them empty, at most 4 KiB as JSON. ghostmux does not interpret it. */
  type Metadata = Record<string, string>;

  /** With whom a session shares its browser. `shared`: with the sessions of others: it has contexts of its own in their browser. `dedicated`: with nobody: it has a Chrome of its own, which starts for it and ends with it. */
  type Isolation = 'shared' | 'dedicated';

  /** Launch options as in `puppeteer.launch()`, or in `chromium.launch()` of Playwright: `args` with flags for Chrome, `defaultViewport`, `acceptInsecureCerts`, `slowMo` and others. What is honoured where, and what is refused: `docs/launch-options.md`. */
  type Launch = unknown;

  /** What an action must cause. It is listened for before the action begins, and the answer comes when all of it has come. */
  interface Expect {
    /** That the page opens another page. */
    popup?: ExpectUrl;
    /** That a download begins. */
    download?: ExpectUrl;
    /** That the page shows another document, or that its URL changes. */
    navigation?: ExpectNavigation;
    /** That a request is sent. */
    request?: ExpectExchange;
    /** That a response arrives. */
    response?: ExpectExchange;
    /** That a dialog opens, and how it is answered. */
    dialog?: ExpectDialog;
    /** That a file chooser opens, and the files that it is given. */
    fileChooser?: ExpectFileChooser;
  }

  /** Something with a URL. */
  interface ExpectUrl {
    /** The URL, in which `*` stands for any characters except `/`, and `**` for any; any URL if absent. */
    url?: string;
  }

  /** A navigation. */
  interface ExpectNavigation {
    /** The URL, in which `*` stands for any characters except `/`, and `**` for any; any URL if absent. */
    url?: string;
    /** How far the document must be loaded; `load` if absent. */
    waitUntil?: LoadState;
  }

  /** How far a document must be loaded, in the words of Playwright and of Puppeteer. `commit`: the response has arrived, and the document is begun. `domcontentloaded`: the document is parsed. `load`: its images, frames and styles are loaded too. `networkidle`: there was no connection for 500 ms. `networkidle0`: the same, in the words of Puppeteer. `networkidle2`: there were at most two connections for 500 ms. */
  type LoadState = 'commit' | 'domcontentloaded' | 'load' | 'networkidle' | 'networkidle0' | 'networkidle2';

  /** A request of the page, or the response to one. */
  interface ExpectExchange {
    /** The URL, in which `*` stands for any characters except `/`, and `**` for any; any URL if absent. */
    url?: string;
    /** The method, such as `POST`; any if absent. */
    method?: string;
  }

  /** A dialog, and how it is answered. */
  interface ExpectDialog {
    /** Whether it is accepted; it is dismissed otherwise. */
    accept?: boolean;
    /** The text that a `prompt` is given, with `accept`; the page's own text if absent. */
    promptText?: string;
    /** Whether it stays open until `dialog` answers it. The action is answered when it has opened. */
    leave?: boolean;
    /** Whether the action is answered although none has opened, once it is done. */
    optional?: boolean;
  }

  /** A file chooser, and the files that it is given. */
  interface ExpectFileChooser {
    /** The files. */
    files?: FileForPage[];
  }

  /** A file for a page: one of the session's own files, or a small one with its content. */
  interface FileForPage {
    /** The name: of a file that was uploaded to the session (`/v1/sessions/{id}/files/{name}`) if there is no `content`. */
    name: string;
    /** The content, in base64. */
    content?: string;
    /** The MIME type, with `content`. */
    mimeType?: string;
  }

  /** Names elements of a page as the locators of Playwright do, through open shadow roots. One of `css`, `xpath`, `text`, `role`, `label`, `placeholder`, `alt`, `title` and `testId` is needed; the other members narrow it down. */
  interface Locator {
    /** A CSS selector, with the pseudo-classes of Playwright. */
    css?: string;
    /** An XPath expression. It does not look into shadow roots. */
    xpath?: string;
    /** A part of the text of the element, in any case; the whole text in this case with `exact`. */
    text?: string;
    /** An ARIA role, such as `button`; explicit or that of the element. */
    role?: string;
    /** With `role`: a part of the accessible name; the whole name with `exact`. */
    name?: string;
    /** The text of the label of a form field. */
    label?: string;
    /** The placeholder of a form field. */
    placeholder?: string;
    /** The alternative text of an image. */
    alt?: string;
    /** The attribute `title`. */
    title?: string;
    /** The attribute `data-testid`, always the whole one. */
    testId?: string;
    /** Whether texts are compared as a whole and with their case. */
    exact?: boolean;
    /** Only elements that contain this text somewhere. */
    hasText?: string;
    /** Only elements that do not contain this text. */
    hasNotText?: string;
    /** Only elements that contain such an element. */
    has?: Locator;
    /** Only elements that do not contain such an element. */
    hasNot?: Locator;
    /** Only visible elements, or only invisible ones. */
    visible?: boolean;
    /** The number of the element among those that match, from 0; -1 is the last one. */
    nth?: number;
    /** Where to look: in these elements. */
    within?: Locator;
    /** Where to look: in the document of this frame element. Not together with `within`, which can have a frame itself. */
    frame?: Locator;
  }

  /** What an element is waited for. `visible`: it has an extent, and is not `visibility: hidden`. `hidden`: it is not visible, or not in the document. `attached`: it is in the document. `detached`: it is not in the document. */
  type ElementState = 'visible' | 'hidden' | 'attached' | 'detached';

  /** A point or an area in CSS pixels. */
  interface Area {
    /** From the left of the document. */
    x: number;
    /** From the top of the document. */
    y: number;
    /** Its width. */
    width: number;
    /** Its height. */
    height: number;
  }

  /** The format of a screenshot. */
  type PictureFormat = 'png' | 'jpeg' | 'webp';

  /** The margins of paper, in inches. */
  interface PaperMargin {
    top?: number;
    right?: number;
    bottom?: number;
    left?: number;
  }

  /** A button of the mouse. `left`: the first. `right`: the second, which opens context menus. `middle`: the wheel. */
  type MouseButton = 'left' | 'right' | 'middle';

  /** A key that is held. */
  type Modifier = 'Alt' | 'Control' | 'Meta' | 'Shift';

  /** A point in CSS pixels. */
  interface Point {
    /** To the right. */
    x: number;
    /** Down. */
    y: number;
  }

  /** An element of a page, named in one of three ways. */
  interface ElementName {
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** A field of a form, and what it is given: one of `value`, `checked` and `options`. */
  interface FormField {
    /** The field. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The field, in Playwright's selector syntax. */
    selector?: string;
    /** The field, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The text of a text field. */
    value?: string;
    /** The name of a secret in place of a text. */
    secret?: string;
    /** Whether the field gets the one-time password of the secret. */
    totp?: boolean;
    /** Whether a checkbox or radio button is checked. */
    checked?: boolean;
    /** The values or labels of the options of a list that are selected. */
    options?: string[];
  }

  /** A value of JSON of any type. */
  type AnyValue = unknown;

  /** Where a script runs. `main`: with the scripts of the page: it sees their variables, and they can change what it uses. `isolated`: apart: it sees the document, and none of the scripts. */
  type World = 'main' | 'isolated';

  /** A value, or `null` to reset it. */
  type Uint32OrNull = unknown;

  /** A value, or `null` to reset it. */
  type StringOrNull = unknown;

  /** A value, or `null` to reset it. */
  type GeolocationOrNull = unknown;

  /** A position on the earth. */
  interface Geolocation {
    /** In degrees, north of the equator. */
    latitude: number;
    /** In degrees, east of Greenwich. */
    longitude: number;
    /** In metres; 0 if absent. */
    accuracy?: number;
  }

  /** A value, or `null` to reset it. */
  type MediaTypeOrNull = unknown;

  /** A kind of media, as CSS has them. `screen`: a screen. `print`: paper. */
  type MediaType = 'screen' | 'print';

  /** A value, or `null` to reset it. */
  type ColorSchemeOrNull = unknown;

  /** The colours that a user prefers. `light`: dark text on light ground. `dark`: light text on dark ground. `no-preference`: none. */
  type ColorScheme = 'light' | 'dark' | 'no-preference';

  /** A value, or `null` to reset it. */
  type ReducedMotionOrNull = unknown;

  /** Whether a user prefers less motion. `reduce`: less. `no-preference`: as it is. */
  type ReducedMotion = 'reduce' | 'no-preference';

  /** A value, or `null` to reset it. */
  type BooleanOrNull = unknown;

  /** A value, or `null` to reset it. */
  type DoubleOrNull = unknown;

  /** Strings under keys. */
  type Attributes = Record<string, string>;

  /** Which cookies are removed: those to which all members apply. */
  interface CookieFilter {
    /** Their name. */
    name?: string;
    /** Their domain, as `cookies` lists it. */
    domain?: string;
    /** Their path. */
    path?: string;
  }

  /** A cookie. One that is set needs `url` or `domain`. */
  interface Cookie {
    /** Its name. */
    name: string;
    /** Its value. */
    value: string;
    /** A URL that gives its domain, its path and whether it is secure. Only of cookies that are set. */
    url?: string;
    /** Its domain. With a dot before it, subdomains have the cookie too. */
    domain?: string;
    /** Its path; `/` if absent. */
    path?: string;
    /** When it ends, in seconds since 1970; with the session of the browser if absent. */
    expires?: number;
    /** Whether scripts do not see it. */
    httpOnly?: boolean;
    /** Whether it is sent by HTTPS only. */
    secure?: boolean;
    /** To which other sites it is sent. */
    sameSite?: SameSite;
  }

  /** To which other sites a cookie is sent. `Strict`: to none. `Lax`: when a link leads there. `None`: to all; the cookie must be `secure`. */
  type SameSite = 'Strict' | 'Lax' | 'None';

  /** A storage of an origin. `local`: `localStorage`, of all pages of the origin in this context. `session`: `sessionStorage`, of this page. */
  type StorageArea = 'local' | 'session';

  /** A regular expression in the syntax of JavaScript, without look-around and back references. */
  type RegularExpression = string;

  /** The type of a request, in the words of Puppeteer. */
  type ResourceType = 'cspviolationreport' | 'document' | 'eventsource' | 'fedcm' | 'fetch' | 'font' | 'image' | 'manifest' | 'media' | 'other' | 'ping' | 'prefetch' | 'preflight' | 'script' | 'signedexchange' | 'stylesheet' | 'texttrack' | 'websocket' | 'xhr';

  /** What happens to a request of a page. `abort`: it fails. `fulfill`: it is answered with `status`, `headers` and `body`. `continue`: it is sent, with `headers` changed. */
  type RouteAction = 'abort' | 'fulfill' | 'continue';

  /** A part of a session's state. `cookies`: cookies with all their attributes. `localStorage`: localStorage of every origin of the session. `indexedDB`: `IndexedDB` of every origin of the session. `pages`: the open pages, each with its sessionStorage, history, scroll position and emulation. `permissions`: what clients granted to sites by `Browser.grantPermissions` and `Browser.setPermission`. `formFields`: the values of form fields of the pages, passwords included. */
  type SnapshotPart = 'cookies' | 'localStorage' | 'indexedDB' | 'pages' | 'permissions' | 'formFields';

  /** What happens to the state that a session has when a snapshot is restored into it. `replace`: the pages of the session are closed, and its cookies and storage are cleared first. `merge`: what the snapshot does not name stays. */
  type RestoreMode = 'replace' | 'merge';

  /** What `context.storageState()` of Playwright returns and `browser.newContext({ storageState })` takes. */
  type StorageState = unknown;

  /** The format of a snapshot's content. `playwright`: the `storageState` of Playwright, which holds cookies, localStorage and `IndexedDB` of one context. `ghostmux`: everything, one JSON record per line. */
  type SnapshotFormat = 'playwright' | 'ghostmux';

  /** What a profile is made of. `snapshot`: cookies, localStorage and `IndexedDB`, in the store: of `profile`. `userData`: everything that Chrome keeps, extensions too, in a user data directory on the server's disk: of `userData`. */
  type ProfileKind = 'snapshot' | 'userData';

  /** A deadline that ends a session. `timeout`: time since the session started. `idleTimeout`: time since a client last sent a frame, while a client is connected; frames from Chrome do not count. `keepAlive`: time since the last socket closed. */
  type Deadline = 'timeout' | 'idleTimeout' | 'keepAlive';

  /** A socket of a session. */
  interface Client {
    /** Its number in the session. */
    id: number;
    /** The page it controls; absent for a browser-level client. */
    targetId?: string;
    /** When it connected, in milliseconds since the epoch. */
    connectedAt: number;
    /** Whether no other browser-level client may connect while this one stays. */
    exclusive: boolean;
  }

  /** A right that a tenant can have. `host-files`: paths of the host in uploads and downloads. `tracing`: traces, which show every session of a browser. `private-network`: pages that reach loopback and private networks. `launch-args`: flags for Chrome. `dedicated`: a dedicated Chrome, in which browser-wide commands are allowed. `clipboard`: the clipboard, which all sessions of a browser share. `admin`: the sessions of all tenants, and the control of the server. */
  type Capability = 'host-files' | 'tracing' | 'private-network' | 'launch-args' | 'dedicated' | 'clipboard' | 'admin';

  /** A session as its owner sees it. */
  interface Session {
    /** The id, by which clients reconnect to the session. */
    id: string;
    /** The state. */
    state: SessionState;
    /** The name by which clients find it, `/s/NAME`; absent if it has none. */
    session?: string;
    /** The URL to reconnect to the session. */
    webSocketDebuggerUrl: string;
    /** The name that the owner chose; need not be unique. At most 200 characters, none of them a control character. */
    name?: string;
    /** What the owner stores with it. */
    metadata?: Metadata;
    /** With whom it shares its browser. */
    isolation: Isolation;
    /** The profile it began with; absent if it began with none. */
    profile?: string;
    /** The user data directory that its browser uses; absent if that is removed with the browser. */
    userData?: string;
    /** Whether its state is saved as this profile when it ends. */
    persist?: boolean;
    /** When it started, in milliseconds since 1970-01-01 UTC. */
    createdAt: number;
    /** Limit of the time since it started. */
    timeout: Milliseconds;
    /** Limit of the time since a client last sent a frame. */
    idleTimeout: Milliseconds;
    /** How long it lives without a socket. */
    keepAlive: Milliseconds;
    /** How long it is parked before it is saved and its pages are closed. */
    hibernateAfter: Milliseconds;
    /** How often it is saved while it runs, so that it can be restored if its browser fails. */
    autosave: Milliseconds;
    /** How long its files can be fetched after its end. */
    keepFiles: Milliseconds;
    /** When the first of its running deadlines ends it, in milliseconds since 1970-01-01 UTC; absent if none is running. */
    expiresAt?: number;
    /** The deadline that `expiresAt` belongs to. */
    expiresBy?: Deadline;
    /** Number of sockets that are connected to it now, page sockets included. */
    clients: number;
    /** These sockets, the earliest first. Empty in lists of sessions and in events. */
    clientList?: Client[];
    /** Number of the browser it is in; absent while it waits for a place. */
    browser?: number;
    /** The tenant to whom it belongs, if that is not the one who asks: only a tenant with the capability `admin` sees such sessions. */
    owner?: string;
    /** What it may do beyond driving its own pages; absent if that is nothing, and while it is in no browser. */
    capabilities?: Capability[];
  }

  /** A session or snapshot in the store whose record cannot be read: another version of ghostmux wrote it, or it is damaged. It cannot be used, but it can be deleted by its id. */
  interface Unreadable {
    /** The id. */
    id: string;
    /** What is wrong with the record. */
    reason: string;
  }

  /** A connection of a page that was refused, or failed. Pages see `net::ERR_SOCKS_CONNECTION_FAILED` in each case. */
  interface FailedConnection {
    /** When, in milliseconds since 1970. */
    at: number;
    /** The host as the page named it: a name, or an address without brackets. */
    host: string;
    /** The port. */
    port: number;
    /** The reason in one word, such as `private-network`, `denied`, `port` or `not-found`. */
    reason: string;
    /** The reason, and what to do. */
    why: string;
  }

  /** A page that was opened by another one. */
  interface OpenedPage {
    /** The id of the page, in paths and for clients. */
    targetId: string;
    /** Its URL at that moment. */
    url: string;
  }

  /** A dialog of a page. */
  interface PageDialogInfo {
    /** Its type. */
    type: DialogType;
    /** Its text, cut after 1000 characters. */
    message: string;
    /** How it was answered. */
    answer: DialogAnswer;
    /** The text that a `prompt` was given. */
    text?: string;
  }

  /** The type of a dialog. `alert`: a message. `confirm`: a question that is answered by yes or no. `prompt`: a question that is answered by a text. `beforeunload`: whether the page may be left. */
  type DialogType = 'alert' | 'confirm' | 'prompt' | 'beforeunload';

  /** How a dialog was answered. `accepted`: it was accepted. `dismissed`: it was dismissed. `open`: not yet: it is open. */
  type DialogAnswer = 'accepted' | 'dismissed' | 'open';

  /** A file that a page of the session downloaded. */
  interface Download {
    /** The `guid` of Chrome's events about it. */
    id: string;
    /** Its name: that which the site suggests, made safe as the name of a file, and unique in the session. */
    name: string;
    /** From where it comes; a URL of more than 2048 bytes is cut. */
    url: string;
    /** How far it has come. */
    state: DownloadState;
    /** Bytes that have arrived. */
    received: number;
    /** Its size; absent if that is not known. */
    size?: number;
    /** When it began, in milliseconds since 1970-01-01 UTC. */
    startedAt: number;
    /** When it was completed or canceled; absent while it is arriving. */
    endedAt?: number;
    /** Why the server canceled it; absent if it did not. */
    reason?: string;
  }

  /** How far a download has come. `inProgress`: it is arriving. `completed`: the whole file is there. `canceled`: it was canceled or has failed; nothing is kept of it. */
  type DownloadState = 'inProgress' | 'completed' | 'canceled';

  /** A file chooser that a page opened. */
  interface FileChooserInfo {
    /** Whether it takes several files. */
    multiple: boolean;
    /** How many files it was given; it waits for files if there are none. */
    files: number;
  }

  /** An exception of a page that nothing caught. */
  interface PageException {
    /** The message in one line, cut after 1000 characters. */
    message: string;
    /** The URL of the script; absent if there is none. */
    url?: string;
    /** The line, from 1. */
    line: number;
  }

  /** What was expected, and came. */
  interface Expected {
    /** The page that was opened. */
    popup?: OpenedPage;
    /** The download, which may still be arriving. */
    download?: Download;
    /** The URL to which the page navigated. */
    navigation?: string;
    /** The request. */
    request?: Exchange;
    /** The response, whose body may still be arriving. */
    response?: Exchange;
    /** The dialog. */
    dialog?: PageDialogInfo;
    /** The file chooser. */
    fileChooser?: FileChooserInfo;
  }

  /** A response of a server, or the request for it. */
  interface Exchange {
    /** The URL, cut after 2048 characters. */
    url: string;
    /** The method; absent if the request was sent before it was expected. */
    method?: string;
    /** The status of the response. */
    status?: number;
  }

  /** The response with a document. */
  interface DocumentResponse {
    /** Its URL, after all redirections. */
    url: string;
    /** Its status. */
    status: number;
    /** The words behind the status; empty in HTTP/2. */
    statusText: string;
    /** The address of the server, or of the proxy by which the page left. */
    ip?: string;
    /** Its port. */
    port?: number;
  }

  /** An element of a page. */
  interface FoundElement {
    /** The name of the element in lower case, such as `button`. */
    tag: string;
    /** The first 200 characters of its text. */
    text: string;
    /** Whether it is visible. */
    visible: boolean;
    /** Its attributes; values are cut after 1000 characters. */
    attributes: Attributes;
    /** Its left side in the viewport, in CSS pixels. */
    x: number;
    /** Its upper side in the viewport. */
    y: number;
    /** Its width. */
    width: number;
    /** Its height. */
    height: number;
  }

  /** A link of a page. */
  interface Link {
    /** Where it leads. */
    url: string;
    /** The first 200 characters of its text. */
    text: string;
  }

  /** What an action of a list came to. */
  interface StepResult {
    /** Its number in the list, from 0. */
    step: number;
    /** The action, such as `click`. */
    action: string;
    /** What it answered. */
    result?: AnyValue;
    /** Why it failed, as a problem of RFC 9457. */
    error?: AnyValue;
  }

  /** An entry of a page's console. */
  interface ConsoleLine {
    /** The method, such as `log`, `warning` or `error`. */
    type: string;
    /** Its arguments as text, with spaces between them; the first 2000 characters. */
    text: string;
  }

  /** A rule for requests of a page. */
  interface RouteInfo {
    /** Its id, for `unroute`. */
    id: string;
    /** The URLs of the requests. */
    url: string;
    /** What happens to them. */
    action: RouteAction;
    /** The requests to which it was applied so far. */
    requests: number;
  }

  /** A script that runs in each new document of a page, before the scripts of the document. */
  interface InitScript {
    /** Its id, for `remove`. */
    id: string;
    /** Where it runs. */
    world: World;
    /** Its length in bytes. */
    size: number;
  }

  /** A line of a page's console. */
  interface ConsoleEntry {
    /** `log`, `info`, `warning`, `error`, `debug` and the other methods of `console`; `exception` for an exception that nothing caught; `network`, `security` and others for what Chrome says itself. */
    kind: string;
    /** The first 10,000 characters of the text. */
    text: string;
    /** The script that wrote it, or the resource that it is about. */
    url?: string;
    /** The line of the script, from 1. */
    line?: number;
    /** In milliseconds since 1970. */
    time: number;
  }

  /** The saved state of a session. It belongs to the owner of the session. */
  interface Snapshot {
    /** The id; the ids of later snapshots sort after it. */
    id: string;
    /** The name that the owner chose; need not be unique. */
    name?: string;
    /** What the owner stores with it. */
    metadata?: Metadata;
    /** When it was saved, in milliseconds since 1970-01-01 UTC. */
    createdAt: number;
    /** When it is deleted automatically, in milliseconds since 1970-01-01 UTC; absent if it is kept until a client deletes it. */
    expiresAt?: number;
    /** The session it was saved from; absent if it was imported. */
    sessionId?: string;
    /** Bytes of its content. */
    size: number;
    /** Bytes it takes in the store, compressed. */
    storedSize: number;
    /** The parts that it was to contain. */
    parts: SnapshotPart[];
    /** Number of cookies in it. */
    cookies: number;
    /** Number of origins, or partitions of one, that have something in it. */
    origins: number;
    /** Number of databases in it. */
    databases: number;
    /** Number of pages in it. */
    pages: number;
    /** Whether a deadline ended the reading before everything was read. */
    partial: boolean;
  }

  /** What saving, restoring or converting carried, and what it did not. */
  interface SnapshotReport {
    /** Number of cookies carried. */
    cookies: number;
    /** Number of origins, or partitions of one, that had something. */
    origins: number;
    /** Number of databases carried. */
    databases: number;
    /** Number of rows of these databases. */
    rows: number;
    /** Number of pages carried. */
    pages: number;
    /** Bytes of the content. */
    bytes: number;
    /** How long it took. */
    took: Milliseconds;
    /** Whether a deadline ended the reading before everything was read. */
    partial: boolean;
    /** What was not carried: the first 200 items. */
    omitted: Omission[];
    /** Number of items that were not carried. */
    omittedCount: number;
  }

  /** Something that was not carried. */
  interface Omission {
    /** The kind of thing, and its name; never its value. */
    what: string;
    /** The origin, URL or context it belongs to; empty if it belongs to none. */
    place: string;
    /** Why it was not carried. */
    reason: string;
  }

  /** A profile of the owner. */
  interface Profile {
    /** Its name, unique among the owner's profiles of its kind. */
    name: string;
    /** What it is made of. */
    kind: ProfileKind;
    /** Bytes of its content; of user data, bytes on the disk. */
    size: number;
    /** When it was saved, or used last if it is user data, in milliseconds since 1970-01-01 UTC. */
    savedAt: number;
    /** When it is deleted automatically if it is not saved again, in milliseconds since 1970-01-01 UTC; absent if it is kept until a client deletes it. */
    expiresAt?: number;
    /** The session that will save it, or has it in use; absent if there is none. */
    holder?: string;
  }

  /** A file that a client uploaded, for the pages of the session. */
  interface UploadedFile {
    /** Its name, unique in the session. */
    name: string;
    /** Its size in bytes. */
    size: number;
    /** Its path, for `DOM.setFileInputFiles` and for the upload calls of clients. */
    path: string;
    /** When it was uploaded, in milliseconds since 1970-01-01 UTC. */
    uploadedAt: number;
  }

  /** A request that is performed while its caller does not wait for it. */
  interface Job {
    /** Its id. */
    id: string;
    /** The operation, such as `pageClick`. */
    operation: string;
    /** How far it has come. */
    state: JobState;
    /** When it was begun, in milliseconds since 1970-01-01 UTC. */
    createdAt: number;
    /** When it ended; absent while it runs. */
    endedAt?: number;
    /** What the operation answered. A list of jobs is without it. */
    result?: AnyValue;
    /** Why the operation failed, as a problem of RFC 9457. A list of jobs is without it. */
    error?: AnyValue;
  }

  /** How far a job has come. `running`: it is being performed, or waits for its turn. `done`: it has a `result`. `failed`: it has an `error`. */
  type JobState = 'running' | 'done' | 'failed';

  /** A secret of an owner, without what it keeps. */
  interface SecretInfo {
    /** Its name. */
    name: string;
    /** The origins in whose documents it may be typed. */
    origins: string[];
    /** Whether it has a text. */
    hasValue: boolean;
    /** Whether it has a key for one-time passwords. */
    hasTotp: boolean;
    /** When it was stored, in milliseconds since 1970-01-01 UTC. */
    storedAt: number;
  }

  /** What a session has used since it started. */
  interface Usage {
    /** Time since it started. */
    wallTime: Milliseconds;
    /** Frames from its clients. */
    framesIn: number;
    /** Frames to its clients. */
    framesOut: number;
    /** Bytes of the frames from its clients. */
    bytesIn: number;
    /** Bytes of the frames to its clients. */
    bytesOut: number;
    /** Commands among the frames from its clients. */
    commands: number;
    /** Events among the frames to its clients. */
    events: number;
    /** Pages that are open now. */
    pages: number;
    /** The largest number of pages that were open at a time. */
    pagesMost: number;
    /** Bytes of JavaScript heap in use in its pages now. Pages that do not answer within 2 s, because they are busy or paused, are left out here and in the next two. */
    jsHeapUsed?: number;
    /** DOM nodes of its pages now. */
    domNodes?: number;
    /** Processor time of the renderers of the pages that are open now, since each started, to 10 ms. Frames in a renderer of their own and closed pages are not included. */
    cpuTime?: Milliseconds;
    /** Memory in bytes of all processes of its browser, without what other programs share. Only for a session with a browser of its own, as the next two. */
    browserMemory?: number;
    /** Processor time of these processes since the browser started, ended ones included. */
    browserCpuTime?: Milliseconds;
    /** How many processes these are. */
    browserProcesses?: number;
    /** Bytes of its files on disk now: downloads, and files that clients uploaded. */
    filesSize: number;
    /** Bytes from its pages, if its requests pass gates (`egress`). */
    egressUp: number;
    /** Bytes to its pages, then. */
    egressDown: number;
  }

  /** The network access of a session. */
  interface SessionEgress {
    /** Whether the server limits what the session connects to, and counts it; else the rest is empty. */
    isGated: boolean;
    /** Bytes from its pages. */
    bytesUp: number;
    /** Bytes to its pages. */
    bytesDown: number;
    /** Connections that were refused, or failed. */
    failed: number;
    /** The last 100 of them, the oldest first. */
    failures: FailedConnection[];
  }

  /** Of `ghost.enable`. */
  interface EnableParams {
    /** How long before a deadline `sessionExpiring` is sent. 30 s if absent. */
    expiringNotice?: Milliseconds;
  }

  /** Of `ghost.getSession`. */
  interface GetSessionParams {
    /** The session; that of this connection if absent. */
    id?: string;
  }

  /** Of `ghost.getSession`. */
  interface GetSessionResult {
    session: Session;
  }

  /** Of `ghost.listSessions`. */
  interface ListSessionsParams {
    /** Only sessions in this state. */
    state?: SessionState;
    /** Only sessions with this name. */
    name?: string;
    /** Only sessions that have all these members with these values. */
    metadata?: Metadata;
    /** Most sessions on the page, 1 to 1000; 100 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listSessions`. */
  interface ListSessionsResult {
    /** Oldest first. */
    sessions: Session[];
    /** Hibernated sessions whose record in the store cannot be read; absent if there are none, and if the list is filtered by name or metadata. */
    unreadable?: Unreadable[];
    /** The `cursor` of the next page; absent on the last page. */
    next?: string;
  }

  /** Of `ghost.createSession`. */
  interface CreateSessionParams {
    /** An id that was never used on this server: 8 to 64 characters of A-Z a-z 0-9 . _ -. Chosen by the server if absent. */
    id?: string;
    /** The name by which clients find the session, `/s/NAME`: 1 to 64 characters of A-Z a-z 0-9 . _ -, unique for its owner. Not together with `id`. */
    session?: string;
    /** A name, which need not be unique; that of `session` if absent. */
    name?: string;
    /** What to store with it. */
    metadata?: Metadata;
    /** Limit of the time since it started. */
    timeout?: Milliseconds;
    /** Limit of the time since a client last sent a frame. */
    idleTimeout?: Milliseconds;
    /** How long it waits for a client to connect or reconnect. If absent, the server's default for such sessions. */
    keepAlive?: Milliseconds;
    /** How long it is parked before it is hibernated. */
    hibernateAfter?: Milliseconds;
    /** How often it is saved: at least 1000, or 0. */
    autosave?: Milliseconds;
    /** How long its files can be fetched after its end. */
    keepFiles?: Milliseconds;
    /** With whom it shares its browser; `shared` if absent. `dedicated` needs the capability of that name. */
    isolation?: Isolation;
    /** What its browser is to be like. */
    launch?: Launch;
    /** The snapshot it begins with; it is blank if absent. */
    snapshot?: string;
    /** Whether the pages of the snapshot are opened; `true` if absent. */
    pages?: boolean;
    /** The profile it begins with, in its newest state. Not together with `snapshot`. */
    profile?: string;
    /** Whether its state is saved as `profile` when it ends; `false` if absent. If there is no such profile yet, the session begins blank. */
    persist?: boolean;
    /** The user data directory of its browser, which is `dedicated` and keeps everything there: made if there is none of this name. Not together with `snapshot` or `profile`. */
    userData?: string;
    /** The proxy through which its pages leave: `http://USER:PASSWORD@HOST:PORT` or `socks5://…`. Nothing shows it again. */
    proxy?: string;
    /** The hosts that are connected to without `proxy`, with commas between them. */
    proxyBypass?: string;
  }

  /** Of `ghost.createSession`. */
  interface CreateSessionResult {
    session: Session;
  }

  /** Of `ghost.updateSession`. */
  interface UpdateSessionParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The new name; an empty one removes the name. */
    name?: string;
    /** Replaces the metadata as a whole. */
    metadata?: Metadata;
    /** Limit of the time since it started. */
    timeout?: Milliseconds;
    /** Limit of the time since a client last sent a frame. */
    idleTimeout?: Milliseconds;
    /** How long it lives without a socket. */
    keepAlive?: Milliseconds;
    /** How long it is parked before it is hibernated. */
    hibernateAfter?: Milliseconds;
    /** How often it is saved: at least 1000, or 0. */
    autosave?: Milliseconds;
    /** How long its files can be fetched after its end. */
    keepFiles?: Milliseconds;
  }

  /** Of `ghost.updateSession`. */
  interface UpdateSessionResult {
    session: Session;
  }

  /** Of `ghost.closeSession`. */
  interface CloseSessionParams {
    /** The session; that of this connection if absent. */
    id?: string;
  }

  /** Of `ghost.park`. */
  interface ParkParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The new `keepAlive`. If absent, a session without any gets the server's default for parked sessions. */
    keepAlive?: Milliseconds;
  }

  /** Of `ghost.park`. */
  interface ParkResult {
    session: Session;
  }

  /** Of `ghost.getUsage`. */
  interface GetUsageParams {
    /** The session; that of this connection if absent. */
    id?: string;
  }

  /** Of `ghost.getUsage`. */
  interface GetUsageResult {
    usage: Usage;
  }

  /** Of `ghost.getEgress`. */
  interface GetEgressParams {
    /** The session; that of this connection if absent. */
    id?: string;
  }

  /** Of `ghost.getEgress`. */
  interface GetEgressResult {
    egress: SessionEgress;
  }

  /** Of `ghost.newPage`. */
  interface NewPageParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** Its URL; blank if absent. The answer does not wait until it is loaded: `wait` does. */
    url?: string;
  }

  /** Of `ghost.newPage`. */
  interface NewPageResult {
    /** The session. */
    session: string;
    /** The id of the page, in paths and for clients. */
    targetId: string;
    /** Its URL. */
    url: string;
  }

  /** Of `ghost.closePage`. */
  interface ClosePageParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
  }

  /** Of `ghost.releaseHandles`. */
  interface ReleaseHandlesParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** The handle; all of the page if absent. */
    handle?: string;
  }

  /** Of `ghost.pageGoto`. */
  interface PageGotoParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The URL. */
    url: string;
    /** How far it must be loaded; `load` if absent. */
    waitUntil?: LoadState;
    /** The page that links to it, as the header `Referer` says. */
    referer?: string;
    /** Whether the answer describes the `response`. */
    details?: boolean;
  }

  /** Of `ghost.pageGoto`. */
  interface PageGotoResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The status of the response; absent if the document was not loaded by HTTP. */
    status?: number;
    /** The response, if the request asks for it and the document was loaded by HTTP. */
    response?: DocumentResponse;
  }

  /** Of `ghost.pageReload`. */
  interface PageReloadParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** How far it must be loaded; `load` if absent. */
    waitUntil?: LoadState;
  }

  /** Of `ghost.pageReload`. */
  interface PageReloadResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The status of the response; absent if the document was not loaded by HTTP. */
    status?: number;
    /** The response, if the request asks for it and the document was loaded by HTTP. */
    response?: DocumentResponse;
  }

  /** Of `ghost.pageBack`. */
  interface PageBackParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** How far it must be loaded; `load` if absent. */
    waitUntil?: LoadState;
  }

  /** Of `ghost.pageBack`. */
  interface PageBackResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The status of the response; absent if the document was not loaded by HTTP. */
    status?: number;
    /** The response, if the request asks for it and the document was loaded by HTTP. */
    response?: DocumentResponse;
  }

  /** Of `ghost.pageForward`. */
  interface PageForwardParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** How far it must be loaded; `load` if absent. */
    waitUntil?: LoadState;
  }

  /** Of `ghost.pageForward`. */
  interface PageForwardResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The status of the response; absent if the document was not loaded by HTTP. */
    status?: number;
    /** The response, if the request asks for it and the document was loaded by HTTP. */
    response?: DocumentResponse;
  }

  /** Of `ghost.pageFocus`. */
  interface PageFocusParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageFocus`. */
  interface PageFocusResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageType`. */
  interface PageTypeParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The text. One of `text` and `secret` is given. */
    text?: string;
    /** The name of a secret in place of a text. It is put at the cursor, letter by letter, without events of keys. */
    secret?: string;
    /** Whether the one-time password of the secret is typed. */
    totp?: boolean;
    /** The time between two keys. */
    delay?: Milliseconds;
  }

  /** Of `ghost.pageType`. */
  interface PageTypeResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageFill`. */
  interface PageFillParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The text. One of `value` and `secret` is given. */
    value?: string;
    /** The name of a secret in place of a text. */
    secret?: string;
    /** Whether the field gets the one-time password of the secret. */
    totp?: boolean;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
  }

  /** Of `ghost.pageFill`. */
  interface PageFillResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageClear`. */
  interface PageClearParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageClear`. */
  interface PageClearResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pagePress`. */
  interface PagePressParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The key, such as `Enter`, `a` or `Control+Shift+ArrowLeft`: a value of `KeyboardEvent.key` or `.code`. */
    key: string;
  }

  /** Of `ghost.pagePress`. */
  interface PagePressResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageSelect`. */
  interface PageSelectParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The values or labels of the options. */
    values: string[];
  }

  /** Of `ghost.pageSelect`. */
  interface PageSelectResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** Their values. */
    values: string[];
  }

  /** Of `ghost.pageCheck`. */
  interface PageCheckParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
  }

  /** Of `ghost.pageCheck`. */
  interface PageCheckResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageUncheck`. */
  interface PageUncheckParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
  }

  /** Of `ghost.pageUncheck`. */
  interface PageUncheckResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageScroll`. */
  interface PageScrollParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** To the right, in CSS pixels. */
    dx?: number;
    /** Down, in CSS pixels. */
    dy?: number;
  }

  /** Of `ghost.pageScroll`. */
  interface PageScrollResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageWait`. */
  interface PageWaitParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The state of the element; `visible` if absent. */
    state?: ElementState;
    /** The URL, in which `*` stands for any characters except `/`, and `**` for any. */
    url?: string;
    /** How far the page must be loaded. */
    loadState?: LoadState;
    /** An expression, or a function without parameters, whose value must become true, in the main world. */
    function?: string;
    /** A time. */
    time?: Milliseconds;
    /** A request that the page sends from now on. */
    request?: ExpectExchange;
    /** A response that arrives from now on. */
    response?: ExpectExchange;
  }

  /** Of `ghost.pageWait`. */
  interface PageWaitResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageText`. */
  interface PageTextParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageText`. */
  interface PageTextResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The text as it is rendered. */
    text: string;
  }

  /** Of `ghost.pageHtml`. */
  interface PageHtmlParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageHtml`. */
  interface PageHtmlResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The HTML. */
    html: string;
  }

  /** Of `ghost.pageAttributes`. */
  interface PageAttributesParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageAttributes`. */
  interface PageAttributesResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** Their values by name. */
    attributes: Attributes;
  }

  /** Of `ghost.pageQuery`. */
  interface PageQueryParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** Most elements that are described, up to 1000; 100 if absent. */
    limit?: number;
  }

  /** Of `ghost.pageQuery`. */
  interface PageQueryResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** How many there are. */
    count: number;
    /** The first of them, as many as `limit` says. */
    elements: FoundElement[];
  }

  /** Of `ghost.pageLinks`. */
  interface PageLinksParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** Most links, up to 10000; 1000 if absent. */
    limit?: number;
  }

  /** Of `ghost.pageLinks`. */
  interface PageLinksResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The first of them in the order of the document, as many as `limit` says. */
    links: Link[];
  }

  /** Of `ghost.pageScreenshot`. */
  interface PageScreenshotParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** Whether it shows the whole page. */
    fullPage?: boolean;
    /** The area of the document that it shows. */
    clip?: Area;
    /** The format; `png` if absent. */
    format?: PictureFormat;
    /** The quality of JPEG and WebP, 0 to 100. */
    quality?: number;
    /** The elements that are covered by rectangles; at most 20 locators, each of any number of elements. */
    mask?: Locator[];
    /** The CSS colour of these rectangles; `#FF00FF` if absent. */
    maskColor?: string;
    /** Whether the background is transparent where the page has none; not for JPEG. */
    omitBackground?: boolean;
    /** Whether it is encoded faster, and larger. */
    optimizeForSpeed?: boolean;
    /** Most pixels of its longer side, from 16: a larger one is scaled down. */
    maxSide?: number;
  }

  /** Of `ghost.pageScreenshot`. */
  interface PageScreenshotResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The content, in base64. */
    data: string;
    /** The format. */
    format: PictureFormat;
  }

  /** Of `ghost.pagePdf`. */
  interface PagePdfParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** Whether it is in landscape format. */
    landscape?: boolean;
    /** Whether backgrounds are printed. */
    printBackground?: boolean;
    /** Whether the page's own size of the paper (`@page`) counts. */
    preferCSSPageSize?: boolean;
    /** The scale, 0.1 to 2; 1 if absent. */
    scale?: number;
    /** Width of the paper in inches; 8.5 if absent. */
    paperWidth?: number;
    /** Height of the paper in inches; 11 if absent. */
    paperHeight?: number;
    /** The pages, such as `1-5, 8`; all if absent. */
    pageRanges?: string;
    /** The margins; those of Chrome if absent. */
    margin?: PaperMargin;
    /** The HTML above each page, in which elements of the classes `date`, `title`, `url`, `pageNumber` and `totalPages` get those values. Without `footer`, there is none. */
    header?: string;
    /** The HTML below each page, as in `header`. */
    footer?: string;
    /** Whether the background is transparent where the page has none. */
    omitBackground?: boolean;
    /** Whether the PDF says what is a heading, a paragraph and so on; as Chrome decides if absent. */
    tagged?: boolean;
    /** Whether the PDF has an outline, made from the headings. */
    outline?: boolean;
  }

  /** Of `ghost.pagePdf`. */
  interface PagePdfResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The content, in base64. */
    data: string;
  }

  /** Of `ghost.pageScripting`. */
  interface PageScriptingParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** Whether they run. */
    enabled: boolean;
  }

  /** Of `ghost.pageScripting`. */
  interface PageScriptingResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageClick`. */
  interface PageClickParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The button; `left` if absent. */
    button?: MouseButton;
    /** How often, 1 to 3; 1 if absent. */
    clickCount?: number;
    /** The keys that are held. */
    modifiers?: Modifier[];
    /** Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent. */
    position?: Point;
    /** The time between pressing and releasing the button. */
    delay?: Milliseconds;
    /** Without an element: from the left of the viewport, in CSS pixels. */
    x?: number;
    /** Without an element: from the top of the viewport. */
    y?: number;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
    /** Whether everything is waited for, and nothing is clicked. */
    trial?: boolean;
  }

  /** Of `ghost.pageClick`. */
  interface PageClickResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageDblclick`. */
  interface PageDblclickParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The button; `left` if absent. */
    button?: MouseButton;
    /** The keys that are held. */
    modifiers?: Modifier[];
    /** Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent. */
    position?: Point;
    /** The time between pressing and releasing the button. */
    delay?: Milliseconds;
    /** Without an element: from the left of the viewport, in CSS pixels. */
    x?: number;
    /** Without an element: from the top of the viewport. */
    y?: number;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
    /** Whether everything is waited for, and nothing is clicked. */
    trial?: boolean;
  }

  /** Of `ghost.pageDblclick`. */
  interface PageDblclickResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageHover`. */
  interface PageHoverParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The keys that are held. */
    modifiers?: Modifier[];
    /** Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent. */
    position?: Point;
    /** Without an element: from the left of the viewport, in CSS pixels. */
    x?: number;
    /** Without an element: from the top of the viewport. */
    y?: number;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
    /** Whether everything is waited for, and the mouse is not moved. */
    trial?: boolean;
  }

  /** Of `ghost.pageHover`. */
  interface PageHoverResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageTap`. */
  interface PageTapParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The keys that are held. */
    modifiers?: Modifier[];
    /** Where in the element, from the upper left corner of its padding; in the middle of what is visible if absent. */
    position?: Point;
    /** Without an element: from the left of the viewport, in CSS pixels. */
    x?: number;
    /** Without an element: from the top of the viewport. */
    y?: number;
    /** Whether nothing is waited for except that the element exists. */
    force?: boolean;
    /** Whether everything is waited for, and nothing is tapped. */
    trial?: boolean;
  }

  /** Of `ghost.pageTap`. */
  interface PageTapResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageDrag`. */
  interface PageDragParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element that is dragged. */
    source: ElementName;
    /** The element on which it is dropped. */
    target: ElementName;
    /** Where the first is taken, from the upper left corner of its padding; in the middle if absent. */
    sourcePosition?: Point;
    /** Where it is dropped, from the upper left corner of the padding of the second; in the middle if absent. */
    targetPosition?: Point;
    /** In how many movements, 1 to 1000; 2 if absent. */
    steps?: number;
    /** Whether nothing is waited for except that the elements exist. */
    force?: boolean;
    /** Whether everything is waited for, and nothing is dragged. */
    trial?: boolean;
  }

  /** Of `ghost.pageDrag`. */
  interface PageDragResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageBlur`. */
  interface PageBlurParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageBlur`. */
  interface PageBlurResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageFillForm`. */
  interface PageFillFormParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The fields, at most 100. */
    fields: FormField[];
  }

  /** Of `ghost.pageFillForm`. */
  interface PageFillFormResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageUpload`. */
  interface PageUploadParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** The files, in place of those that it has: all of the session, or all with their content. An empty list removes all. */
    files: FileForPage[];
  }

  /** Of `ghost.pageUpload`. */
  interface PageUploadResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageDialog`. */
  interface PageDialogParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** Whether it is accepted; it is dismissed otherwise. */
    accept: boolean;
    /** The text that a `prompt` is given, with `accept`. */
    promptText?: string;
  }

  /** Of `ghost.pageDialog`. */
  interface PageDialogResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageActions`. */
  interface PageActionsParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The actions. Each is an object with the name of the `action`, such as `click`, and the members that it has by itself, without `id`, `page` and `detach`. `timeout` of the list is the limit for all of them together. */
    actions: AnyValue[];
    /** Whether the actions behind one that fails are performed too. If not, the list fails with it. */
    continueOnError?: boolean;
  }

  /** Of `ghost.pageActions`. */
  interface PageActionsResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** What each of them came to. */
    results: StepResult[];
    /** How many failed. */
    failed: number;
  }

  /** Of `ghost.pageEvaluate`. */
  interface PageEvaluateParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The expression. One of `expression` and `function` is needed. */
    expression?: string;
    /** The function, such as `(a, b) => a + b`. */
    function?: string;
    /** The arguments of the function. `{"$handle": "h1"}` is the value of a handle, and `{"$element": {"ref": "e12"}}` is an element, named by `locator`, `selector` or `ref`, once there is one. With one of them the function runs in its frame, and with a handle in the world of the handle. */
    args?: AnyValue[];
    /** Where it runs; `main` if absent. */
    world?: World;
    /** The frame in which it runs, by its element (`iframe`); the main frame if absent. */
    frame?: Locator;
    /** Whether the value stays in the page, and the answer has a handle of it. A value that is no object is in the answer. */
    handle?: boolean;
    /** Whether the answer has what was written to the console meanwhile. */
    console?: boolean;
  }

  /** Of `ghost.pageEvaluate`. */
  interface PageEvaluateResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The value; absent if it is `undefined`. */
    value?: AnyValue;
    /** The handle of a value that stays in the page. */
    handle?: string;
    /** What that value is, such as `HTMLDivElement` or `Array(3)`. */
    description?: string;
    /** What was written to the console meanwhile, if that was asked for: the first 1000 entries. */
    console?: ConsoleLine[];
  }

  /** Of `ghost.pageSnapshot`. */
  interface PageSnapshotParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
    /** How many levels below the first; all if absent. */
    depth?: number;
    /** Whether it has only what takes input: buttons, links, fields, and what has the cursor of a link. */
    interactiveOnly?: boolean;
    /** Whether each element has its area in the viewport of its frame, as `[box=x,y,width,height]`. */
    boxes?: boolean;
    /** Most bytes. A longer one is cut at a line, and `omitted` says how many lines there are more. */
    maxBytes?: number;
    /** The `version` of an earlier snapshot of the page. The answer has the lines that are different, if that is shorter. */
    since?: string;
  }

  /** Of `ghost.pageSnapshot`. */
  interface PageSnapshotResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The snapshot in YAML, in Playwright's form. With `since`, what is different, as a unified diff. */
    snapshot: string;
    /** The version of the snapshot, for `since`. */
    version: string;
    /** The version from which `snapshot` shows the differences. Absent if it is a whole snapshot: because none was named, because the named one is not known any more, or because the differences would be longer. */
    since?: string;
    /** Lines that were cut because of `maxBytes`. */
    omittedLines?: number;
  }

  /** Of `ghost.pageViewport`. */
  interface PageViewportParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** In CSS pixels, at most 10,000,000. */
    width: Uint32OrNull;
    /** In CSS pixels, at most 10,000,000. */
    height: Uint32OrNull;
    /** Device pixels for one CSS pixel; 1 if absent. */
    deviceScaleFactor?: number;
    /** Whether `meta viewport` counts and scrollbars lie over the page, as on a phone. */
    isMobile?: boolean;
    /** Whether it has a touch screen. */
    hasTouch?: boolean;
  }

  /** Of `ghost.pageViewport`. */
  interface PageViewportResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageEmulate`. */
  interface PageEmulateParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** A device of Playwright's list, such as `iPhone 15` or `Pixel 7`: its viewport, user agent and touch screen. */
    device?: StringOrNull;
    /** The locale of numbers and dates, such as `de-DE`. */
    locale?: StringOrNull;
    /** The time zone, such as `Europe/Berlin`. */
    timezone?: StringOrNull;
    /** The position; pages also need the permission `geolocation`. */
    geolocation?: GeolocationOrNull;
    /** The kind of media for which styles are chosen. */
    media?: MediaTypeOrNull;
    /** The colours that the user prefers. */
    colorScheme?: ColorSchemeOrNull;
    /** Whether the user prefers less motion. */
    reducedMotion?: ReducedMotionOrNull;
    /** The user agent. */
    userAgent?: StringOrNull;
    /** Whether the page has no network. */
    offline?: BooleanOrNull;
    /** How many times slower its processor is, 1 to 100. */
    cpuRate?: DoubleOrNull;
  }

  /** Of `ghost.pageEmulate`. */
  interface PageEmulateResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageHeaders`. */
  interface PageHeadersParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The headers; none resets them. */
    headers: Attributes;
  }

  /** Of `ghost.pageHeaders`. */
  interface PageHeadersResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pagePermissions`. */
  interface PagePermissionsParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The origin, such as `https://example.org`; all if absent. */
    origin?: string;
    /** Names of Chrome's protocol, such as `geolocation` and `notifications`, or of Playwright, such as `camera`. */
    permissions?: string[];
    /** Whether the permissions of all origins are reset first. */
    reset?: boolean;
  }

  /** Of `ghost.pagePermissions`. */
  interface PagePermissionsResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageAuthenticate`. */
  interface PageAuthenticateParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The user. */
    username?: string;
    /** The password. */
    password?: string;
    /** The only origin that gets them, such as `https://example.org`; each that asks if absent. */
    origin?: string;
  }

  /** Of `ghost.pageAuthenticate`. */
  interface PageAuthenticateResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
  }

  /** Of `ghost.pageCookies`. */
  interface PageCookiesParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** Whether all cookies of the context are removed first. */
    clear?: boolean;
    /** The cookies to remove. */
    remove?: CookieFilter[];
    /** The cookies to set. */
    set?: Cookie[];
    /** Only cookies that are sent to one of these URLs are listed. */
    urls?: string[];
  }

  /** Of `ghost.pageCookies`. */
  interface PageCookiesResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The cookies. */
    cookies: Cookie[];
  }

  /** Of `ghost.pageStorage`. */
  interface PageStorageParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The origin, which the page or one of its frames must have; that of the page if absent. */
    origin?: string;
    /** Which storage; `local` if absent. */
    area?: StorageArea;
    /** Whether all values are removed first. */
    clear?: boolean;
    /** The keys to remove. */
    remove?: string[];
    /** The values to set, by key. */
    set?: Attributes;
    /** Only these keys are read. */
    keys?: string[];
  }

  /** Of `ghost.pageStorage`. */
  interface PageStorageResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The origin. */
    origin: string;
    /** Its values by key. */
    items: Attributes;
  }

  /** Of `ghost.pageRoute`. */
  interface PageRouteParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The URLs, in which `*` stands for any characters except `/`, and `**` for any. */
    url?: string;
    /** A regular expression that some part of the URL matches. */
    regex?: RegularExpression;
    /** The types of the requests; any if there is none. */
    resourceTypes?: ResourceType[];
    /** What happens to the requests; `abort` if absent. */
    action?: RouteAction;
    /** The status of an answer (`fulfill`); 200 if absent. */
    status?: number;
    /** The headers of an answer (`fulfill`), or the headers that a request has in place of its own (`continue`). */
    headers?: Attributes;
    /** Headers that a request loses (`continue`). */
    removeHeaders?: string[];
    /** The body of an answer (`fulfill`). */
    body?: string;
    /** Whether the body is in base64. */
    base64?: boolean;
  }

  /** Of `ghost.pageRoute`. */
  interface PageRouteResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The rules, the oldest first. Of several that match, the newest is applied. */
    routes: RouteInfo[];
    /** The id of the rule that was added. */
    added?: string;
  }

  /** Of `ghost.pageUnroute`. */
  interface PageUnrouteParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The id of the rule; all if absent. */
    route?: string;
  }

  /** Of `ghost.pageUnroute`. */
  interface PageUnrouteResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The rules, the oldest first. Of several that match, the newest is applied. */
    routes: RouteInfo[];
    /** The id of the rule that was added. */
    added?: string;
  }

  /** Of `ghost.pageScripts`. */
  interface PageScriptsParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The source of the script to add. */
    add?: string;
    /** Where it runs; `main` if absent. */
    world?: World;
    /** The id of the script to remove. */
    remove?: string;
  }

  /** Of `ghost.pageScripts`. */
  interface PageScriptsResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The scripts, in the order in which they run. */
    scripts: InitScript[];
    /** The id of the script that was added. */
    added?: string;
  }

  /** Of `ghost.pageCdp`. */
  interface PageCdpParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The method, such as `DOM.getDocument`. */
    method: string;
    /** Its params, an object. */
    params?: AnyValue;
  }

  /** Of `ghost.pageCdp`. */
  interface PageCdpResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The result, as Chrome wrote it. */
    result: AnyValue;
  }

  /** Of `ghost.pageMarkdown`. */
  interface PageMarkdownParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** The element. One of `locator`, `selector` and `ref` names it. */
    locator?: Locator;
    /** The element, in Playwright's selector syntax. */
    selector?: string;
    /** The element, by a reference of the last `snapshot`, such as `e12`. */
    ref?: string;
  }

  /** Of `ghost.pageMarkdown`. */
  interface PageMarkdownResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The Markdown. */
    markdown: string;
  }

  /** Of `ghost.pageConsole`. */
  interface PageConsoleParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** Whether the lines are forgotten once they are read. */
    clear?: boolean;
    /** Whether recording ends, and all is forgotten. */
    stop?: boolean;
  }

  /** Of `ghost.pageConsole`. */
  interface PageConsoleResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The lines, the oldest first. */
    entries: ConsoleEntry[];
    /** Lines that were dropped because there were too many. */
    dropped: number;
  }

  /** Of `ghost.pageNetwork`. */
  interface PageNetworkParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The target id of the page, or `first`, the oldest page. */
    page: string;
    /** How long it may take. If absent or more than the server allows, as the server is configured. */
    timeout?: Milliseconds;
    /** What it must cause: it is answered when all of that has come. */
    expect?: Expect;
    /** Whether it goes on if its caller hangs up. */
    detach?: boolean;
    /** Whether the requests are forgotten once they are read. */
    clear?: boolean;
    /** Whether recording ends, and all is forgotten. */
    stop?: boolean;
  }

  /** Of `ghost.pageNetwork`. */
  interface PageNetworkResult {
    /** The URL of the page after it. */
    url: string;
    /** Whether another document was loaded, or the URL changed. */
    navigated: boolean;
    /** The time that it took. */
    took: Milliseconds;
    /** The pages that the page opened meanwhile. This and the next lists have at most 20 entries. */
    opened?: OpenedPage[];
    /** The target ids of the session's pages that were closed meanwhile. */
    closed?: string[];
    /** The dialogs of the page. */
    dialogs?: PageDialogInfo[];
    /** The downloads that the page began. */
    downloads?: Download[];
    /** The file chooser that the page opened. */
    fileChooser?: FileChooserInfo;
    /** The exceptions of the page that nothing caught. */
    errors?: PageException[];
    /** How many entries did not fit into these lists. */
    omitted?: number;
    /** What the request expected, and came. */
    expected?: Expected;
    /** The requests in the form of HAR 1.2, the oldest first, without bodies. */
    har: AnyValue;
    /** Requests that were dropped because there were too many. */
    dropped: number;
  }

  /** Of `ghost.saveSnapshot`. */
  interface SaveSnapshotParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** What the snapshot contains; all but `formFields` if absent. */
    parts?: SnapshotPart[];
    /** The name of the snapshot. At most 200 characters. */
    name?: string;
    /** What to store with it. */
    metadata?: Metadata;
    /** How long it is kept; with 0 it is kept until it is deleted. If absent, as the server is configured. */
    ttl?: Milliseconds;
  }

  /** Of `ghost.saveSnapshot`. */
  interface SaveSnapshotResult {
    /** The snapshot. */
    snapshot: Snapshot;
    /** What was carried, and what was not. */
    report: SnapshotReport;
  }

  /** Of `ghost.restoreSnapshot`. */
  interface RestoreSnapshotParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The snapshot. */
    snapshot: string;
    /** What happens to the state that the session has; `replace` if absent. */
    mode?: RestoreMode;
    /** Whether the pages of the snapshot are opened; `true` if absent. */
    pages?: boolean;
  }

  /** Of `ghost.restoreSnapshot`. */
  interface RestoreSnapshotResult {
    report: SnapshotReport;
  }

  /** Of `ghost.cloneSession`. */
  interface CloneSessionParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** Number of clones, 1 to 100; 1 if absent. */
    count?: number;
    /** What is copied; all but `formFields` if absent. */
    parts?: SnapshotPart[];
    /** The name of each clone. */
    name?: string;
    /** What to store with each clone. */
    metadata?: Metadata;
    /** Limit of the time since a clone started. */
    timeout?: Milliseconds;
    /** Limit of the time since a client last sent a frame. */
    idleTimeout?: Milliseconds;
    /** How long a clone waits for a client. If absent, the server's default for such sessions. */
    keepAlive?: Milliseconds;
    /** How long a clone is parked before it is hibernated. */
    hibernateAfter?: Milliseconds;
    /** How often a clone is saved: at least 1000, or 0. */
    autosave?: Milliseconds;
    /** How long the files of a clone can be fetched after its end. It begins without files. */
    keepFiles?: Milliseconds;
    /** The proxy through which the pages of each clone leave: `http://USER:PASSWORD@HOST:PORT`, `socks5://…`, or `direct://` for none; that of the session if absent. */
    proxy?: string;
    /** The hosts that are connected to without `proxy`, with commas between them. */
    proxyBypass?: string;
  }

  /** Of `ghost.cloneSession`. */
  interface CloneSessionResult {
    /** The new sessions. */
    sessions: Session[];
    /** What was carried, and what was not. */
    report: SnapshotReport;
  }

  /** Of `ghost.listSnapshots`. */
  interface ListSnapshotsParams {
    /** Only snapshots with this in their name, in upper or lower case. */
    name?: string;
    /** Only snapshots that have all these members with these values. */
    metadata?: Metadata;
    /** Most snapshots on the page, 1 to 1000; 100 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listSnapshots`. */
  interface ListSnapshotsResult {
    /** Newest first. */
    snapshots: Snapshot[];
    /** Snapshots whose record in the store cannot be read; absent if there are none, and if the list is filtered by name or metadata. */
    unreadable?: Unreadable[];
    /** The `cursor` of the next page; absent on the last page. */
    next?: string;
  }

  /** Of `ghost.getSnapshot`. */
  interface GetSnapshotParams {
    /** The snapshot. */
    snapshot: string;
  }

  /** Of `ghost.getSnapshot`. */
  interface GetSnapshotResult {
    snapshot: Snapshot;
  }

  /** Of `ghost.deleteSnapshot`. */
  interface DeleteSnapshotParams {
    /** The snapshot. */
    snapshot: string;
  }

  /** Of `ghost.importSnapshot`. */
  interface ImportSnapshotParams {
    /** Give either this or `data`. */
    storageState?: StorageState;
    /** The `data` of `exportSnapshot`. */
    data?: string;
    /** The name of the snapshot. At most 200 characters. */
    name?: string;
    /** What to store with it. */
    metadata?: Metadata;
    /** How long it is kept; with 0 it is kept until it is deleted. If absent, as the server is configured. */
    ttl?: Milliseconds;
  }

  /** Of `ghost.importSnapshot`. */
  interface ImportSnapshotResult {
    /** The snapshot. */
    snapshot: Snapshot;
    /** What was carried, and what was not. */
    report: SnapshotReport;
  }

  /** Of `ghost.exportSnapshot`. */
  interface ExportSnapshotParams {
    /** The snapshot. */
    snapshot: string;
    /** `playwright` if absent. */
    format?: SnapshotFormat;
  }

  /** Of `ghost.exportSnapshot`. */
  interface ExportSnapshotResult {
    /** The content in the format `playwright`. */
    storageState?: StorageState;
    /** The content in the format `ghostmux`, in base64. */
    data?: string;
    /** What the format cannot hold. */
    report: SnapshotReport;
  }

  /** Of `ghost.listProfiles`. */
  interface ListProfilesParams {
    /** Most profiles on the page, 1 to 1000; 100 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listProfiles`. */
  interface ListProfilesResult {
    /** Those in the store, then user data directories, both in the order of their names. */
    profiles: Profile[];
    /** Profiles whose record in the store cannot be read, with their names as `id`; absent if there are none. */
    unreadable?: Unreadable[];
    /** The `cursor` of the next page; absent on the last page. */
    next?: string;
  }

  /** Of `ghost.getProfile`. */
  interface GetProfileParams {
    /** The name of the profile. */
    profile: string;
    /** What it is made of; `snapshot` if absent. */
    kind?: ProfileKind;
  }

  /** Of `ghost.getProfile`. */
  interface GetProfileResult {
    profile: Profile;
  }

  /** Of `ghost.exportProfile`. */
  interface ExportProfileParams {
    /** The name of the profile. */
    profile: string;
    /** What it is made of; `snapshot` if absent. */
    kind?: ProfileKind;
    /** The name of the snapshot; that of the profile if absent. At most 200 characters. */
    name?: string;
    /** What to store with it. */
    metadata?: Metadata;
    /** How long it is kept; with 0 it is kept until it is deleted. If absent, as the server is configured. */
    ttl?: Milliseconds;
  }

  /** Of `ghost.exportProfile`. */
  interface ExportProfileResult {
    snapshot: Snapshot;
  }

  /** Of `ghost.deleteProfile`. */
  interface DeleteProfileParams {
    /** The name of the profile. */
    profile: string;
    /** What it is made of; `snapshot` if absent. */
    kind?: ProfileKind;
  }

  /** Of `ghost.listDownloads`. */
  interface ListDownloadsParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** How long to wait until there is a download and none is arriving; at most 5 minutes. In a query it may have a unit: `30s`. */
    wait?: Milliseconds;
    /** Most downloads on the page, 1 to 1000; 1000 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listDownloads`. */
  interface ListDownloadsResult {
    /** The downloads, the earliest first. */
    downloads: Download[];
    /** The `cursor` of the next page; absent if this is the last one. */
    next?: string;
  }

  /** Of `ghost.deleteDownload`. */
  interface DeleteDownloadParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The download. */
    download: string;
  }

  /** Of `ghost.listFiles`. */
  interface ListFilesParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** Most files on the page, 1 to 1000; 1000 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listFiles`. */
  interface ListFilesResult {
    /** The files, by name. */
    files: UploadedFile[];
    /** The `cursor` of the next page; absent if this is the last one. */
    next?: string;
  }

  /** Of `ghost.deleteFile`. */
  interface DeleteFileParams {
    /** The session; that of this connection if absent. */
    id?: string;
    /** The name of the file. */
    name: string;
  }

  /** Of `ghost.listJobs`. */
  interface ListJobsParams {
    /** Most jobs on the page, 1 to 1000; 1000 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listJobs`. */
  interface ListJobsResult {
    /** The jobs, the oldest first. */
    jobs: Job[];
    /** The `cursor` of the next page; absent if this is the last one. */
    next?: string;
  }

  /** Of `ghost.getJob`. */
  interface GetJobParams {
    /** The job. */
    job: string;
    /** How long the answer waits until the job has ended, at most 5 minutes; 0 if absent. */
    wait?: Milliseconds;
  }

  /** Of `ghost.getJob`. */
  interface GetJobResult {
    job: Job;
  }

  /** Of `ghost.deleteJob`. */
  interface DeleteJobParams {
    /** The job. */
    job: string;
  }

  /** Of `ghost.listSecrets`. */
  interface ListSecretsParams {
    /** Most secrets on the page, 1 to 1000; 1000 if absent. */
    limit?: number;
    /** The `next` of the page before this one. */
    cursor?: string;
  }

  /** Of `ghost.listSecrets`. */
  interface ListSecretsResult {
    /** The secrets, by name. */
    secrets: SecretInfo[];
    /** The `cursor` of the next page; absent if this is the last one. */
    next?: string;
  }

  /** Of `ghost.putSecret`. */
  interface PutSecretParams {
    /** Its name: 1 to 64 ASCII letters, digits, `-`, `_` and `.`. */
    secret: string;
    /** The text, such as a password, of 4 to 4096 characters. */
    value?: string;
    /** The key for one-time passwords (RFC 6238): in Base32, or as a URL `otpauth://totp/…`. */
    totp?: string;
    /** The origins in whose documents it may be typed, such as `https://example.com` or `https://*.example.com`, which is all hosts below that name; 1 to 20. */
    origins: string[];
  }

  /** Of `ghost.putSecret`. */
  interface PutSecretResult {
    secret: SecretInfo;
  }

  /** Of `ghost.deleteSecret`. */
  interface DeleteSecretParams {
    /** Its name. */
    secret: string;
  }

  /** Of `ghost.sessionExpiring`. */
  interface SessionExpiringEvent {
    /** The deadline. */
    deadline: Deadline;
    /** The time until then. */
    remaining: Milliseconds;
  }

  /** Of `ghost.sessionUpdated`. */
  interface SessionUpdatedEvent {
    /** The session after the change. */
    session: Session;
  }

  /** Of `ghost.clientAttached`. */
  interface ClientAttachedEvent {
    /** The socket. */
    client: Client;
  }

  /** Of `ghost.clientDetached`. */
  interface ClientDetachedEvent {
    /** The socket. */
    client: Client;
    /** Why; absent if the client closed it. */
    reason?: string;
  }

  /** Of `ghost.browserLost`. */
  interface BrowserLostEvent {
    /** What happened to the browser. */
    reason: string;
    /** How long ago `autosave` saved the session: whoever connects to its URL finds it as it was then. Absent if it is lost. */
    savedAgo?: Milliseconds;
  }

  /** Of `ghost.snapshotSaved`. */
  interface SnapshotSavedEvent {
    /** The snapshot. */
    snapshot: Snapshot;
    /** What was carried, and what was not. */
    report: SnapshotReport;
  }

  /** Of `ghost.snapshotRestored`. */
  interface SnapshotRestoredEvent {
    /** The snapshot. */
    snapshot: string;
    /** What was carried, and what was not. */
    report: SnapshotReport;
  }

  /** Of `ghost.userDataTooLarge`. */
  interface UserDataTooLargeEvent {
    /** The name of the directory that the session uses. */
    userData: string;
    /** Bytes of disk that all directories of the owner take. */
    size: number;
    /** How many they may take. */
    limit: number;
    /** The time until then. */
    remaining: Milliseconds;
  }

  /** Of `ghost.downloadFinished`. */
  interface DownloadFinishedEvent {
    /** The download. */
    download: Download;
  }

  /** Of `ghost.egressFailed`. */
  interface EgressFailedEvent {
    /** The host as the page named it: a name, or an address without brackets. */
    host: string;
    /** The port. */
    port: number;
    /** The reason in one word, such as `private-network`, `denied`, `port` or `not-found`. */
    reason: string;
    /** The reason, and what to do. */
    why: string;
  }

  /** Of `ghost.egressExhausted`. */
  interface EgressExhaustedEvent {
    /** The limit, in bytes. */
    limit: number;
    /** Its name: `egress_bytes_per_session` or `egress_bytes_per_day`. */
    name: string;
  }

  /** Of `ghost.profileLost`. */
  interface ProfileLostEvent {
    /** The name of the profile. */
    profile: string;
  }

  /** Every command: what it takes and what it answers. */
  interface Commands {
    /** Turns the events of this domain on, for the CDP session on which it is sent. */
    'ghost.enable': { params: EnableParams; result: {} };
    /** Turns the events of this domain off. */
    'ghost.disable': { params: undefined; result: {} };
    /** Shows a session. */
    'ghost.getSession': { params: GetSessionParams; result: GetSessionResult };
    /** Lists the sessions of this owner, oldest first, one page at a time. */
    'ghost.listSessions': { params: ListSessionsParams; result: ListSessionsResult };
    /** Creates a session. It is parked until a client connects to its `webSocketDebuggerUrl`. With `session` it may exist already: it is then restored if it is hibernated, and gets the given members. */
    'ghost.createSession': { params: CreateSessionParams; result: CreateSessionResult };
    /** Changes the given members of a live session; a changed deadline counts from the same moment as before. */
    'ghost.updateSession': { params: UpdateSessionParams; result: UpdateSessionResult };
    /** Ends a session with all its pages. Its clients are disconnected with close code 1000; one that ends its own session gets the answer first. */
    'ghost.closeSession': { params: CloseSessionParams; result: {} };
    /** Parks a session: its clients are disconnected with close code 1000 and the URL to reconnect to as the reason; one that parks its own session gets the answer first. The pages run on for `keepAlive`. */
    'ghost.park': { params: ParkParams; result: ParkResult };
    /** Shows the usage of a session. */
    'ghost.getUsage': { params: GetUsageParams; result: GetUsageResult };
    /** Shows what a session connects to: bytes, and the last connections that were refused or failed. */
    'ghost.getEgress': { params: GetEgressParams; result: GetEgressResult };
    /** Opens a page in the session's default context. */
    'ghost.newPage': { params: NewPageParams; result: NewPageResult };
    /** Closes a page. Its `beforeunload` handlers do not run. */
    'ghost.closePage': { params: ClosePageParams; result: {} };
    /** Frees a value that `evaluate` has kept, or all of a page. They are freed as well when the page shows another document. */
    'ghost.releaseHandles': { params: ReleaseHandlesParams; result: {} };
    /** Navigates a page to a URL, and waits until it is loaded. The same URLs are allowed as for `Page.navigate`. */
    'ghost.pageGoto': { params: PageGotoParams; result: PageGotoResult };
    /** Reloads a page, and waits until it is loaded. */
    'ghost.pageReload': { params: PageReloadParams; result: PageReloadResult };
    /** Goes back in the history of a page, and waits until the page is loaded. Without an entry it is refused. */
    'ghost.pageBack': { params: PageBackParams; result: PageBackResult };
    /** Goes forward in the history of a page, and waits until the page is loaded. Without an entry it is refused. */
    'ghost.pageForward': { params: PageForwardParams; result: PageForwardResult };
    /** Focuses an element. */
    'ghost.pageFocus': { params: PageFocusParams; result: PageFocusResult };
    /** Focuses an element and types a text, one key after the other. */
    'ghost.pageType': { params: PageTypeParams; result: PageTypeResult };
    /** Puts a text into a form field in place of what it has, once it is visible, enabled and editable. */
    'ghost.pageFill': { params: PageFillParams; result: PageFillResult };
    /** Empties a form field, once it is visible, enabled and editable. */
    'ghost.pageClear': { params: PageClearParams; result: PageClearResult };
    /** Presses a key or a combination of keys. With an element, focuses it before; it waits for nothing but that the element exists. */
    'ghost.pagePress': { params: PagePressParams; result: PagePressResult };
    /** Selects options of a list (`select`), once it is visible and enabled. Those that are not named are deselected. */
    'ghost.pageSelect': { params: PageSelectParams; result: PageSelectResult };
    /** Checks a checkbox or radio button by a click, if it is not checked. */
    'ghost.pageCheck': { params: PageCheckParams; result: PageCheckResult };
    /** Unchecks a checkbox by a click, if it is checked. */
    'ghost.pageUncheck': { params: PageUncheckParams; result: PageUncheckResult };
    /** Scrolls an element into view; or with `dx` or `dy`, what is below the mouse, as its wheel does. With both, the mouse is moved over the element before. */
    'ghost.pageScroll': { params: PageScrollParams; result: PageScrollResult };
    /** Waits for all that is given: the state of an element, a URL, a load state, a function, a time, a request, a response. */
    'ghost.pageWait': { params: PageWaitParams; result: PageWaitResult };
    /** Reads the text of an element, or of the page. */
    'ghost.pageText': { params: PageTextParams; result: PageTextResult };
    /** Reads the HTML of an element, or of the page. */
    'ghost.pageHtml': { params: PageHtmlParams; result: PageHtmlResult };
    /** Reads the attributes of an element. */
    'ghost.pageAttributes': { params: PageAttributesParams; result: PageAttributesResult };
    /** Looks for elements; waits for none, and any number is found. */
    'ghost.pageQuery': { params: PageQueryParams; result: PageQueryResult };
    /** Lists the links of an element, or of the page. */
    'ghost.pageLinks': { params: PageLinksParams; result: PageLinksResult };
    /** Takes a screenshot: of the viewport, of an element, of the whole page, or of an area. */
    'ghost.pageScreenshot': { params: PageScreenshotParams; result: PageScreenshotResult };
    /** Prints a page as a PDF. */
    'ghost.pagePdf': { params: PagePdfParams; result: PagePdfResult };
    /** Turns the scripts of a page on or off, for the documents that it opens from now on. Scripts of `evaluate` run anyway. */
    'ghost.pageScripting': { params: PageScriptingParams; result: PageScriptingResult };
    /** Clicks an element, once it is visible, stable, enabled, and receives the click; or, with `x` and `y`, a point of the viewport at once. */
    'ghost.pageClick': { params: PageClickParams; result: PageClickResult };
    /** Clicks an element twice, as a double click. */
    'ghost.pageDblclick': { params: PageDblclickParams; result: PageDblclickResult };
    /** Moves the mouse over an element, once it is visible, stable, and receives the movement. */
    'ghost.pageHover': { params: PageHoverParams; result: PageHoverResult };
    /** Taps an element with a finger, once it is visible, stable, enabled, and receives the tap. */
    'ghost.pageTap': { params: PageTapParams; result: PageTapResult };
    /** Drags an element with the mouse, and drops it on another one. Each must be visible, stable, and hit by the mouse. */
    'ghost.pageDrag': { params: PageDragParams; result: PageDragResult };
    /** Takes the focus from an element. */
    'ghost.pageBlur': { params: PageBlurParams; result: PageBlurResult };
    /** Fills the fields of a form, one after the other. An error says which field failed; those before it are filled. */
    'ghost.pageFillForm': { params: PageFillFormParams; result: PageFillFormResult };
    /** Gives files to a file input, which may be hidden, or to the file chooser that a click on the element opens. */
    'ghost.pageUpload': { params: PageUploadParams; result: PageUploadResult };
    /** Answers the open dialog of a page. It does not wait for the action that opened it. */
    'ghost.pageDialog': { params: PageDialogParams; result: PageDialogResult };
    /** Performs actions one after the other. Actions of other callers wait until the last of them is done. With `Accept: text/event-stream` REST sends each result as an event, as soon as there is one. */
    'ghost.pageActions': { params: PageActionsParams; result: PageActionsResult };
    /** Evaluates an expression, or calls a function, and returns its value as JSON. A promise is awaited. */
    'ghost.pageEvaluate': { params: PageEvaluateParams; result: PageEvaluateResult };
    /** Reads the accessibility snapshot of a page, or of an element as its root, with references by which the next actions can name elements. */
    'ghost.pageSnapshot': { params: PageSnapshotParams; result: PageSnapshotResult };
    /** Sets the size of a page, and what screen it seems to be on; `null` for width and height resets it. The page keeps it until it is closed, or a client sets its own. */
    'ghost.pageViewport': { params: PageViewportParams; result: PageViewportResult };
    /** Makes a page believe it is on another device, in another place, or in another state. What is absent stays; `null` resets. The page keeps it until it is closed, or a client sets its own. */
    'ghost.pageEmulate': { params: PageEmulateParams; result: PageEmulateResult };
    /** Sets headers that a page adds to each of its requests, in place of those that were set before. */
    'ghost.pageHeaders': { params: PageHeadersParams; result: PageHeadersResult };
    /** Grants permissions to an origin in the context of a page. The other permissions of the origin are denied. */
    'ghost.pagePermissions': { params: PagePermissionsParams; result: PagePermissionsResult };
    /** Answers servers that ask a page for a user and a password (HTTP authentication); without `username` no longer. */
    'ghost.pageAuthenticate': { params: PageAuthenticateParams; result: PageAuthenticateResult };
    /** Clears, removes and sets cookies of the context of a page, in this order; then lists them. */
    'ghost.pageCookies': { params: PageCookiesParams; result: PageCookiesResult };
    /** Clears, removes and sets values of the storage of an origin, in this order; then reads it. */
    'ghost.pageStorage': { params: PageStorageParams; result: PageStorageResult };
    /** Adds a rule for requests of a page: they fail, or are answered, or are sent with other headers. Without `url`, `regex` and `resourceTypes` it only lists the rules. Of these, all that are given must apply to a request. */
    'ghost.pageRoute': { params: PageRouteParams; result: PageRouteResult };
    /** Removes rules for requests of a page: one, or all. */
    'ghost.pageUnroute': { params: PageUnrouteParams; result: PageUnrouteResult };
    /** Removes or adds a script that runs in each new document of a page, before the scripts of the document; then lists them. The present document is left as it is. */
    'ghost.pageScripts': { params: PageScriptsParams; result: PageScriptsResult };
    /** Sends a command of CDP to a page, under the rules that hold for clients of the session. It is sent on a CDP session that all such commands of the page share: what they set stays, and events are not received. */
    'ghost.pageCdp': { params: PageCdpParams; result: PageCdpResult };
    /** Reads an element, or the page, as Markdown. */
    'ghost.pageMarkdown': { params: PageMarkdownParams; result: PageMarkdownResult };
    /** Reads the console of a page. The first request begins to record it. */
    'ghost.pageConsole': { params: PageConsoleParams; result: PageConsoleResult };
    /** Reads the requests of a page. The first request begins to record them. */
    'ghost.pageNetwork': { params: PageNetworkParams; result: PageNetworkResult };
    /** Saves the state of a session. Its clients and pages do not notice. */
    'ghost.saveSnapshot': { params: SaveSnapshotParams; result: SaveSnapshotResult };
    /** Writes a snapshot into a running session: first the storage, then its pages are opened. If the session has a client, only that client can do it, over its own connection. */
    'ghost.restoreSnapshot': { params: RestoreSnapshotParams; result: RestoreSnapshotResult };
    /** Creates new sessions in the state of this one, isolated from it and from each other, and parked until a client connects. The source runs on. All are created, or none. */
    'ghost.cloneSession': { params: CloneSessionParams; result: CloneSessionResult };
    /** Lists the snapshots of this owner, newest first, one page at a time. */
    'ghost.listSnapshots': { params: ListSnapshotsParams; result: ListSnapshotsResult };
    /** Shows a snapshot's metadata. */
    'ghost.getSnapshot': { params: GetSnapshotParams; result: GetSnapshotResult };
    /** Deletes a snapshot. Sessions that were started from it are not affected. */
    'ghost.deleteSnapshot': { params: DeleteSnapshotParams; result: {} };
    /** Creates a snapshot from Playwright's `storageState`, or from what `exportSnapshot` answered in the format `ghostmux`. Over REST the latter is read as a stream; `name`, `ttl` and `metadata.KEY` are then members of the query. */
    'ghost.importSnapshot': { params: ImportSnapshotParams; result: ImportSnapshotResult };
    /** Gives the content of a snapshot. Whoever has it can log in as the session. The `ghost` domain gives up to 64 MiB; larger contents are at `GET /v1/snapshots/{id}/content`. */
    'ghost.exportSnapshot': { params: ExportSnapshotParams; result: ExportSnapshotResult };
    /** Lists the profiles of this owner, one page at a time: those in the store, then user data directories, each by name. */
    'ghost.listProfiles': { params: ListProfilesParams; result: ListProfilesResult };
    /** Shows a profile. */
    'ghost.getProfile': { params: GetProfileParams; result: GetProfileResult };
    /** Copies the state of a profile to a new snapshot, which later saves of the profile do not change. User data must be in use: then their session is saved. */
    'ghost.exportProfile': { params: ExportProfileParams; result: ExportProfileResult };
    /** Deletes a profile that no session saves or uses. Sessions that began with it are not affected. */
    'ghost.deleteProfile': { params: DeleteProfileParams; result: {} };
    /** Lists what the pages of a session downloaded. Chrome downloads once a client has allowed it (`Browser.setDownloadBehavior`; Playwright does by itself), whatever path the client names. */
    'ghost.listDownloads': { params: ListDownloadsParams; result: ListDownloadsResult };
    /** Deletes a download; one that is arriving is canceled. */
    'ghost.deleteDownload': { params: DeleteDownloadParams; result: {} };
    /** Lists the files that clients uploaded for the pages of a session. */
    'ghost.listFiles': { params: ListFilesParams; result: ListFilesResult };
    /** Deletes a file that a client uploaded. A page that has it open can go on reading it. */
    'ghost.deleteFile': { params: DeleteFileParams; result: {} };
    /** Lists the jobs of this owner: requests that were sent with `Prefer: respond-async`. They are without their results. */
    'ghost.listJobs': { params: ListJobsParams; result: ListJobsResult };
    /** Shows a job, with its result if it has one. */
    'ghost.getJob': { params: GetJobParams; result: GetJobResult };
    /** Stops a job, if it runs, and forgets it. */
    'ghost.deleteJob': { params: DeleteJobParams; result: {} };
    /** Lists the secrets of this owner, without what they keep. */
    'ghost.listSecrets': { params: ListSecretsParams; result: ListSecretsResult };
    /** Stores a secret in memory, or replaces the one of this name. No request shows what it keeps: `fill` and `type` put it into fields of documents of its origins. */
    'ghost.putSecret': { params: PutSecretParams; result: PutSecretResult };
    /** Forgets a secret. Where it was typed, it stays. */
    'ghost.deleteSecret': { params: DeleteSecretParams; result: {} };
  }

  /** Every event: what it tells. */
  interface Events {
    /** A deadline ends the session soon. `updateSession` moves it, and a frame from a client moves `idleTimeout`. */
    'ghost.sessionExpiring': SessionExpiringEvent;
    /** The state, the deadlines, the name or the metadata of the session changed. */
    'ghost.sessionUpdated': SessionUpdatedEvent;
    /** Another socket was opened on the session. */
    'ghost.clientAttached': ClientAttachedEvent;
    /** Another socket of the session was closed. */
    'ghost.clientDetached': ClientDetachedEvent;
    /** The browser of this session failed, and the session is lost unless it was saved. The socket is then closed with 1011. */
    'ghost.browserLost': BrowserLostEvent;
    /** A caller saved the session. */
    'ghost.snapshotSaved': SnapshotSavedEvent;
    /** A snapshot was written into the session. */
    'ghost.snapshotRestored': SnapshotRestoredEvent;
    /** The user data directories of the owner take more than they may. Unless that changes, the session ends soon, with close code 4010. */
    'ghost.userDataTooLarge': UserDataTooLargeEvent;
    /** A download of the session was completed or canceled. */
    'ghost.downloadFinished': DownloadFinishedEvent;
    /** A connection of a page was refused, or failed. The page sees `net::ERR_SOCKS_CONNECTION_FAILED` in each case. When a page causes very many, some are not sent; `getEgress` counts all. */
    'ghost.egressFailed': EgressFailedEvent;
    /** The pages of the session, or of all sessions of its tenant on this day, have transferred as many bytes as they may: the connections of the session are cut, and new ones are refused. */
    'ghost.egressExhausted': EgressExhaustedEvent;
    /** The session does not save its profile any more: it could not reach the store for so long that a session on another server may have the profile by now. */
    'ghost.profileLost': ProfileLostEvent;
  }
}
