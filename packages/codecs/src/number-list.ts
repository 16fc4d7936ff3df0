/** A list of numbers in memory that is used again. It grows by doubling, up to a limit that its owner checks. */
export class NumberList {
  count = 0;
  items = new Float64Array(256);

  push(value: number): void {
    if (this.count === this.items.length) this.#grow();
    this.items[this.count] = value;
    this.count += 1;
  }

  clear(): void {
    this.count = 0;
  }

  #grow(): void {
    const grown = new Float64Array(this.items.length * 2);
    grown.set(this.items);
    this.items = grown;
  }
}
