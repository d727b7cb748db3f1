using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace Cloud.AppHost;

/// <summary>
/// What one local world consists of outside its programs: a directory for all its state, its ports, its generated
/// passwords. Two worlds with different directories and port offsets run side by side.
/// </summary>
internal sealed class World
{
    /// <summary>The PostgreSQL role with which DatabasePool makes customers' databases on the local server.</summary>
    public const string Provisioner = "provisioner";

    private const int PasswordLength = 32;
    private const string PasswordLetters = "abcdefghijklmnopqrstuvwxyz0123456789";

    private readonly Dictionary<string, string> _passwords;

    private World(string stateDirectory, int portOffset, IConfiguration configuration)
    {
        StateDirectory = stateDirectory;
        PortOffset = portOffset;
        Configuration = configuration;
        _passwords = File.Exists(PasswordFile)
            ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(PasswordFile)) ?? []
            : [];
    }

    /// <summary>All local state; <c>CLOUD_STATE</c>, else <c>.cloud</c> in the repository.</summary>
    public string StateDirectory { get; }

    /// <summary>Added to every fixed port; <c>CLOUD_PORT_OFFSET</c>, else 0.</summary>
    public int PortOffset { get; }

    public IConfiguration Configuration { get; }

    /// <summary>The fixed ports this world listens on, by the name of who does; see <see cref="Wiring"/>.</summary>
    public Dictionary<int, string> FixedPorts { get; } = [];

    public string KubeconfigPath => PathOf("kubeconfig");

    public string OffsetText => PortOffset.ToString(CultureInfo.InvariantCulture);

    private string PasswordFile => PathOf("passwords.json");

    public static World Of(IDistributedApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var state = configuration["CLOUD_STATE"] is { Length: > 0 } given
            ? Path.GetFullPath(given)
            : Path.GetFullPath(Path.Combine(builder.AppHostDirectory, "..", ".cloud"));
        Directory.CreateDirectory(state);
        configuration["StandIn:LogDirectory"] = Path.Combine(state, "logs");
        var world = new World(state, configuration.GetValue("CLOUD_PORT_OFFSET", 0), configuration);
#if GENUINE_ASPIRE
        Dashboard.Configure(world);
#endif
        return world;
    }

    /// <summary>The program that the build made of a project; all of them lie beside ours.</summary>
    public static string ProgramOf(string project)
    {
        var ours = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(ours.Parent!.Parent!.FullName, project, ours.Name, $"Cloud.{project}.dll");
    }

    public int Port(int usual) => usual + PortOffset;

    public string PortText(int usual) => Port(usual).ToString(CultureInfo.InvariantCulture);

    public string PathOf(string name) => Path.Combine(StateDirectory, name);

    /// <summary>The password of a role, made when it is first asked for and the same ever after.</summary>
    public string Password(string role)
    {
        if (!_passwords.TryGetValue(role, out var password))
        {
            password = RandomNumberGenerator.GetString(PasswordLetters, PasswordLength);
            _passwords[role] = password;
            WritePasswords();
        }

        return password;
    }

    private void WritePasswords()
    {
        var unfinished = $"{PasswordFile}.unfinished";
        var how = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var file = new FileStream(unfinished, how))
        {
            JsonSerializer.Serialize(file, _passwords);
        }

        File.Move(unfinished, PasswordFile, overwrite: true);
    }
}
