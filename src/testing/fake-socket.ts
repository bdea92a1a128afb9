/** A WebSocket that opens when a test says so. */
export class FakeSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly all: FakeSocket[] = [];
  readonly url: string;
  readyState = 0;
  closes = 0;

  constructor(url: string) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  close(): void {
    this.closes++;
    this.readyState = 3;
  }
}
