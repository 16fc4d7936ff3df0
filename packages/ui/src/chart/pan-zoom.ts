/** Pan and zoom of a time range: arithmetic (pure), and the mouse and keys that drive it. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

export const SPAN_MIN_MS = 200;
export const SPAN_MAX_MS = 6 * 366 * 86_400_000;
const WHEEL_FACTOR = 1.0018;

/** The span made `factor` times as long around `anchor` (a time that stays where it is), within the limits. */
export function zoomSpan(span: TimeSpan, factor: number, anchor = (span.from + span.to) / 2): TimeSpan {
  const length = span.to - span.from;
  const wanted = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, length * factor));
  const share = (anchor - span.from) / length;
  const from = anchor - wanted * share;
  return { from, to: from + wanted };
}

/** The span moved by a part of its length; positive = later. */
export function panSpan(span: TimeSpan, part: number): TimeSpan {
  const distance = (span.to - span.from) * part;
  return { from: span.from + distance, to: span.to + distance };
}

export interface PanZoomTarget {
  span(): TimeSpan;
  /** Left edge and width of the plotting area in client pixels. */
  plotBox(): { left: number; width: number };
  change(span: TimeSpan): void;
}

/** Shift-drag pans, Ctrl/⌘-wheel zooms at the pointer, double-click zooms out, arrows pan, + and − zoom. Returns the undo. */
export function attachPanZoom(element: HTMLElement, target: PanZoomTarget): () => void {
  const leaving = new AbortController();
  const options = { signal: leaving.signal };
  const timeAt = (clientX: number): number => {
    const { left, width } = target.plotBox();
    const { from, to } = target.span();
    return from + ((clientX - left) / width) * (to - from);
  };
  const press = (down: PointerEvent): void => {
    if (!down.shiftKey || down.button !== 0) return;
    down.preventDefault();
    down.stopPropagation();
    const began = target.span();
    const { width } = target.plotBox();
    const moving = new AbortController();
    const move = (event: PointerEvent): void => target.change(panSpan(began, (down.clientX - event.clientX) / width));
    window.addEventListener('pointermove', move, { signal: moving.signal });
    window.addEventListener('pointerup', () => moving.abort(), { signal: moving.signal });
    leaving.signal.addEventListener('abort', () => moving.abort());
  };
  const wheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    target.change(zoomSpan(target.span(), WHEEL_FACTOR ** event.deltaY, timeAt(event.clientX)));
  };
  const key = (event: KeyboardEvent): void => {
    const span = spanAfterKey(event.key, target.span());
    if (span === null || event.target !== element) return;
    event.preventDefault();
    target.change(span);
  };
  const stopShiftDrag = (event: MouseEvent): void => {
    if (event.shiftKey) event.stopPropagation(); // Else the chart begins a selection beside the pan.
  };
  element.addEventListener('pointerdown', press, { ...options, capture: true });
  element.addEventListener('mousedown', stopShiftDrag, { ...options, capture: true });
  element.addEventListener('wheel', wheel, { ...options, passive: false });
  element.addEventListener(
    'dblclick',
    (event) => target.change(zoomSpan(target.span(), 2, timeAt(event.clientX))),
    options,
  );
  element.addEventListener('keydown', key, options);
  return () => leaving.abort();
}

/** What a key does to the span; null = nothing. */
export function spanAfterKey(key: string, span: TimeSpan): TimeSpan | null {
  if (key === 'ArrowLeft') return panSpan(span, -0.25);
  if (key === 'ArrowRight') return panSpan(span, 0.25);
  if (key === '+' || key === '=') return zoomSpan(span, 0.5);
  if (key === '-') return zoomSpan(span, 2);
  return null;
}
