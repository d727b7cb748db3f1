namespace Cloud.Simulator.Controllers;

/// <summary>Hands out pod addresses within 10.244.0.0/14, the same one never twice at a time.</summary>
internal sealed class PodAddresses
{
    private const int First = 10 << 24 | 244 << 16;
    private const int Count = 1 << 18;
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private int _last;

    public void Take(string address) => _taken.Add(address);

    public void Release(string address) => _taken.Remove(address);

    public string Next()
    {
        while (true)
        {
            _last = _last % (Count - 1) + 1;
            var number = First + _last;
            var address = $"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}";
            // Network and broadcast addresses of each /24 stay unused, as people expect.
            if (_last % 256 is not (0 or 255) && _taken.Add(address)) return address;
        }
    }
}
