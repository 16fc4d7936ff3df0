/** How high a chart is: what the window leaves below the page's head, within limits. */
import { useViewportSize } from '@mantine/hooks';

const HEIGHT_MIN_PX = 420;
const HEIGHT_MAX_PX = 900;

/** `besidePx`: what else stands above and below the chart. */
export function useChartHeight(besidePx: number): number {
  const { height } = useViewportSize();
  return Math.min(HEIGHT_MAX_PX, Math.max(HEIGHT_MIN_PX, height - besidePx));
}
